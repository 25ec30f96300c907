import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { VolumeContent } from "../../../agent/drivers/abilities/volumes.js";
import { findRunningDisk, mirrorDisk } from "../../../agent/drivers/qemu/blocks/move-volume.js";
import { addVolume } from "../../../agent/drivers/qemu/blocks/volume-node.js";
import { allNodes } from "../../../agent/drivers/qemu/blocks/block-engine.js";
import type { LiveMachine } from "../../../agent/drivers/qemu/live/live-machine.js";
import { QmpClient, type QmpEvent } from "../../../agent/drivers/qemu/qmp-client.js";
import { run } from "../../../agent/host/exec.js";
import { connectUnix } from "../../../agent/host/unix-socket.js";
import { copyVolume, volumeBytes } from "../../../agent/storage/copy-volume.js";
import { emptyQcow2 } from "../../../agent/storage/empty-qcow2.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { runTag } from "../../helpers/run-tag.js";

const resource = "hosts/zt/volumes/data";
const mib = 1024 * 1024;
const { signal } = new AbortController();
let root: string;
let undo: AsyncDisposableStack;

beforeEach(async () => {
  undo = new AsyncDisposableStack();
  root = await mkdtemp(join(tmpdir(), `${runTag}-c-`));
  undo.defer(() => rm(root, { recursive: true, force: true }));
});
afterEach(() => undo.disposeAsync());

/** A file with some content, or an empty one. */
async function fileOf(
  name: string,
  format: "raw" | "qcow2",
  content?: Buffer,
): Promise<Extract<VolumeContent, { kind: "file" }>> {
  const path = join(root, name);
  await writeFile(path, format === "qcow2" ? emptyQcow2(BigInt(8 * mib)) : (content ?? Buffer.alloc(8 * mib)));
  const file = undo.use(await open(path, "r+"));
  return { kind: "file", file, format };
}

/** As it is read from. */
async function reading(name: string, format: "raw" | "qcow2" = "raw"): Promise<VolumeContent> {
  return { kind: "file", file: undo.use(await open(join(root, name))), format };
}

const opened = (content: VolumeContent) => ({
  ...content,
  ...{ name: resource, sizeBytes: BigInt(8 * mib), [Symbol.asyncDispose]: async () => undefined },
});

/** A machine that has begun, none of whose CPUs runs, with one volume. */
async function machineWith(volume: VolumeContent): Promise<LiveMachine> {
  const listeners = new Set<(event: QmpEvent) => void>();
  const devices = ["-device", "virtio-scsi-pci,id=scsi"];
  const argv = [
    "-S",
    "-M",
    "q35",
    "-m",
    "64",
    "-nodefaults",
    "-display",
    "none",
    "-qmp",
    "unix:qmp,server=on,wait=off",
  ];
  const child = spawnOwned("qemu-system-x86_64", [...argv, ...devices], { cwd: root, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  undo.defer(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const socket = await eventually(() => connectUnix(root, "qmp", { signal }));
  const onEvent = (event: QmpEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const qmp = await QmpClient.open(socket, { resource, onEvent });
  undo.defer(() => qmp.close());
  const machine: LiveMachine = {
    identity: { pid: process.pid },
    execute: (...given) => qmp.execute(...given),
    executeWith: (...given) => qmp.executeWith(...given),
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  await addVolume(machine, volume, { resource, nodeName: "disk0" });
  await machine.execute("device_add", { driver: "scsi-hd", bus: "scsi.0", id: "disk0", drive: "disk0" });
  return machine;
}

const nodesOf = async (machine: LiveMachine): Promise<readonly unknown[]> =>
  (await allNodes(machine)).map((node) => node["node-name"]).filter((name) => !String(name).startsWith("#"));

it("copies a volume at rest into another format and back, and tells how large it is", async () => {
  const content = randomBytes(8 * mib);
  await fileOf("a", "raw", content);
  const [middle, last] = [await fileOf("b", "qcow2"), await fileOf("c", "raw")];
  const options = { state: root, resource, signal, bytesPerSecond: 0, progress: () => undefined };
  expect(await volumeBytes(await reading("b", "qcow2"), options)).toBe(BigInt(8 * mib));
  await copyVolume(await reading("a"), opened(middle), options);
  await copyVolume(await reading("b", "qcow2"), opened(last), options);
  expect((await readFile(join(root, "c"))).equals(content)).toBe(true);
});

it("has a copy end at once when it is cancelled, or its target is full", async () => {
  await fileOf("a", "raw", randomBytes(8 * mib));
  const from = await reading("a");
  const to = await fileOf("b", "raw");
  const cancel = new AbortController();
  const slow = { state: root, resource, bytesPerSecond: mib, signal: cancel.signal, progress: () => cancel.abort() };
  await expect(copyVolume(from, opened(to), slow)).rejects.toThrow(/abort/i);
  await run("mkdir", [join(root, "full")]);
  await run("mount", ["-t", "tmpfs", "-o", "size=1m", "none", join(root, "full")]);
  undo.defer(async () => void (await run("umount", ["--lazy", join(root, "full")])));
  const path = join(root, "full", "it");
  await writeFile(path, emptyQcow2(BigInt(8 * mib)));
  const file = undo.use(await open(path, "r+"));
  const options = { state: root, resource, signal, bytesPerSecond: 0, progress: () => undefined };
  await expect(copyVolume(from, opened({ kind: "file", file, format: "qcow2" }), options)).rejects.toThrow("is full");
});

it("has a machine go on with the copy once that was written down, and forget what it had", async () => {
  const content = randomBytes(8 * mib);
  const machine = await machineWith(await fileOf("a", "raw", content));
  const target = await fileOf("b", "raw");
  const seen: string[] = [];
  const commit = async (node: string): Promise<void> => {
    // Both are alike in this instant, and the machine has still the first.
    expect((await readFile(join(root, "b"))).equals(content)).toBe(true);
    expect((await findRunningDisk(machine, "disk0"))?.node).toBe("disk0");
    seen.push(node);
  };
  const move = { id: "disk0", target, discard: true, more: {}, bytesPerSecond: 0, commit };
  await mirrorDisk(machine, move, { resource, signal });
  expect(await findRunningDisk(machine, "disk0")).toEqual({ node: seen[0], sizeBytes: BigInt(8 * mib) });
  expect(await nodesOf(machine)).toEqual(seen);
  expect(await machine.execute("query-jobs")).toEqual([]);
});

it("has a machine keep what it had when it is cancelled, or the switch cannot be written down", async () => {
  const machine = await machineWith(await fileOf("a", "raw", randomBytes(8 * mib)));
  const target = await fileOf("b", "raw");
  const cancel = new AbortController();
  const base = { id: "disk0", target, discard: true, more: {} };
  const never = async (): Promise<void> => {
    throw new Error("the disk is full");
  };
  await expect(
    mirrorDisk(
      machine,
      { ...base, bytesPerSecond: mib, commit: never },
      { resource, signal: cancel.signal, onProgress: () => cancel.abort() },
    ),
  ).rejects.toThrow(/abort/i);
  await expect(
    mirrorDisk(machine, { ...base, bytesPerSecond: 0, commit: never }, { resource, signal }),
  ).rejects.toThrow("the disk is full");
  expect((await findRunningDisk(machine, "disk0"))?.node).toBe("disk0");
  expect(await nodesOf(machine)).toEqual(["disk0"]);
  expect(await machine.execute("query-jobs")).toEqual([]);
});

it("hands a block device on as one", async () => {
  const content = randomBytes(8 * mib);
  await writeFile(join(root, "disk"), content);
  const { stdout } = await run("losetup", ["--find", "--show", join(root, "disk")]);
  const device = stdout.trim();
  undo.defer(async () => void (await run("losetup", ["--detach", device])));
  const from: VolumeContent = { kind: "device", file: undo.use(await open(device)) };
  const into: VolumeContent = { kind: "device", file: undo.use(await open(device, "r+")) };
  const to = await fileOf("b", "raw");
  const options = { state: root, resource, signal, bytesPerSecond: 0, progress: () => undefined };
  expect(await volumeBytes(from, options)).toBe(BigInt(8 * mib));
  await copyVolume(from, opened(to), options);
  expect((await readFile(join(root, "b"))).equals(content)).toBe(true);
  await fileOf("c", "raw", Buffer.alloc(8 * mib, 7));
  await copyVolume(await reading("c"), opened(into), options);
  expect((await readFile(join(root, "disk"))).equals(Buffer.alloc(8 * mib, 7))).toBe(true);
});
