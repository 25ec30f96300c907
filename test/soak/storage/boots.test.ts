import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { VolumeRig } from "./volume-rig.js";

let rig: VolumeRig;

/**
 * A disk that counts in its first sector how often it was booted, and tells that with some words on the first serial port.
 * Code for a processor that has just been turned on, at 0x7c00.
 */
function bootable(words: string): Buffer {
  const text = 0x29;
  const counter = 0x7c00 + text + words.length + 1;
  const code = [
    // ax, ds and es are 0; one more boot
    ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0xfe, 0x06, counter & 0xff, counter >> 8],
    // int 13h, ah 3: one sector from here to the first of the disk that was booted
    ...[0xb8, 0x01, 0x03, 0xbb, 0x00, 0x7c, 0xb9, 0x01, 0x00, 0xb6, 0x00, 0xcd, 0x13],
    // each byte from the text on until a 0 goes out of the port 0x3f8; then halt
    ...[0xbe, text, 0x7c, 0xba, 0xf8, 0x03, 0xfc, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xf4, 0xeb, 0xfd],
  ];
  const disk = Buffer.alloc(1024 * 1024);
  Buffer.from(code).copy(disk);
  disk.write(`${words} 0\r\n`, text, "latin1");
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

/** Waits until a machine has said something on its console. */
async function says(machine: string, words: string): Promise<void> {
  await eventually(async () => expect(await rig.done("logs", `zt/${machine}`)).toContain(words));
}

function lastBoot(log: string): string | undefined {
  return [...log.matchAll(/system \d/g)].at(-1)?.[0];
}

beforeAll(async () => {
  rig = await VolumeRig.start();
  await writeFile(join(rig.images, "system"), bootable("system"));
  await writeFile(join(rig.images, "other"), bootable("other"));
});

afterAll(() => rig[Symbol.asyncDispose]());

it("boots from a volume that began as an image, without a disk of its own, and keeps what is written", async () => {
  await rig.done("create", "volume", "zt/a", "--image", "system", "--pool", "slow");
  await rig.done("create", "instance", "zt/b1", "--accel", "tcg", "--disk", "volume=a");
  await says("b1", "system 1");
  await rig.done("stop", "zt/b1");
  await rig.restart();
  await rig.done("start", "zt/b1");
  await says("b1", "system 2");
  await rig.done("volume", "move", "zt/a", "--to", "fast");
  await rig.done("stop", "zt/b1");
  await rig.done("start", "zt/b1");
  await says("b1", "system 3");
  await rig.done("delete", "instance", "zt/b1", "--force", "--yes");
});

it("boots from the volume that the order names, and refuses an order that names none", async () => {
  await rig.done("create", "volume", "zt/b", "--image", "other", "--pool", "slow", "--format", "raw");
  const disks = ["--accel", "tcg", "--disk", "volume=a", "--disk", "volume=b"];
  expect(await rig.refused("create", "instance", "zt/b2", ...disks, "--boot", "disk2")).toContain("boot_order");
  await rig.done("create", "instance", "zt/b2", ...disks, "--boot", "disk1", "--boot", "disk0");
  await says("b2", "other 1");
  await rig.done("stop", "zt/b2");
  await rig.done("set", "instance", "zt/b2", "spec.qemu.boot_order=disk0");
  await rig.done("start", "zt/b2");
  await says("b2", "system 4");
  await rig.done("delete", "instance", "zt/b2", "--force", "--yes");
});

it("goes back to snapshots and is restored from backups", async () => {
  await rig.done("create", "instance", "zt/b3", "--accel", "tcg", "--disk", "volume=a");
  await says("b3", "system 5");
  await rig.done("stop", "zt/b3");
  await rig.done("snapshot", "create", "zt/b3", "five");
  await rig.done("backup", "create", "zt/b3", "five");
  await rig.done("start", "zt/b3");
  await says("b3", "system 6");
  await rig.done("stop", "zt/b3");
  await rig.done("start", "zt/b3");
  await says("b3", "system 7");
  await rig.done("snapshot", "revert", "zt/b3", "five", "--yes");
  // What it says last, once it has written that it has booted again.
  await eventually(async () => expect(lastBoot(await rig.done("logs", "zt/b3"))).toBe("system 6"));
  await rig.done("backup", "create", "zt/b3", "again");
  await rig.done("backup", "restore", "zt/b3.again", "--as", "b4");
  await says("b4", "system 7");
  expect(await rig.done("describe", "instance", "zt/b4")).not.toContain("volume a");
  await rig.done("delete", "snapshot", "zt/b3.five", "--yes");
  for (const id of ["b3", "b4"]) await rig.done("delete", "instance", `zt/${id}`, "--force", "--yes");
});

it("boots from a target of iSCSI", async () => {
  await rig.done("create", "volume", "zt/far", "--image", "other", "--pool", "san");
  await rig.done("create", "instance", "zt/b5", "--accel", "tcg", "--disk", "volume=far");
  await says("b5", "other 1");
  await rig.done("stop", "zt/b5");
  await rig.done("start", "zt/b5");
  await says("b5", "other 2");
  await rig.done("delete", "instance", "zt/b5", "--force", "--yes");
});
