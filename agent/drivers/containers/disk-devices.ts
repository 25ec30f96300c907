import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Number of a block device. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** The whole disk that a directory is on; undefined when it is on none. */
export async function findDisk(directory: string): Promise<DeviceNumber | undefined> {
  const { dev } = await stat(directory, { bigint: true });
  const [major, minor] = [Number((dev >> 8n) & 0xfffn), Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n))];
  const home = await readlink(`/sys/dev/block/${major}:${minor}`).catch(() => undefined);
  if (home === undefined) return undefined;
  const isPartition = await stat(`/sys/dev/block/${major}:${minor}/partition`).catch(() => undefined);
  if (isPartition === undefined) return { major, minor };
  return await readNumber(`/sys/dev/block/${dirname(home)}`);
}

/** The loop devices that a file is mounted by. */
export async function findLoopDevices(file: string): Promise<readonly DeviceNumber[]> {
  const path = await realpath(file).catch(() => undefined);
  if (path === undefined) return [];
  const found: DeviceNumber[] = [];
  for (const name of (await readdir("/sys/block").catch(() => [])).filter((each) => each.startsWith("loop"))) {
    // Those that nothing is behind have no such file.
    const backing = await readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "");
    const number = backing.trimEnd() === path ? await readNumber(`/sys/block/${name}`) : undefined;
    if (number !== undefined) found.push(number);
  }
  return found;
}

async function readNumber(home: string): Promise<DeviceNumber | undefined> {
  const text = await readFile(`${home}/dev`, "utf8").catch(() => "");
  const [, major, minor] = /^(\d+):(\d+)$/m.exec(text) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** The file of a block device; undefined when it has none. */
export async function findDevicePath({ major, minor }: DeviceNumber): Promise<string | undefined> {
  const told = await readFile(`/sys/dev/block/${major}:${minor}/uevent`, "utf8").catch(() => "");
  const name = /^DEVNAME=([A-Za-z0-9_!./-]+)$/m.exec(told)?.[1];
  if (name === undefined) return undefined;
  const path = `/dev/${name}`;
  const found = await stat(path).catch(() => undefined);
  return found?.isBlockDevice() === true ? path : undefined;
}
