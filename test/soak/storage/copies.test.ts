import { randomBytes } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { VolumeContent } from "../../../agent/drivers/abilities/volumes.js";
import { findRunningDisk, mirrorDisk } from "../../../agent/drivers/qemu/blocks/move-volume.js";
import { run } from "../../../agent/host/exec.js";
import { copyVolume, volumeBytes } from "../../../agent/storage/copy-volume.js";
import { emptyQcow2 } from "../../../agent/storage/empty-qcow2.js";
import { CopiesRig, mib, nodesOf, opened, resource, signal } from "../../helpers/copies-rig.js";

let rig: CopiesRig;
beforeEach(async () => {
  rig = await CopiesRig.make();
});
afterEach(() => rig[Symbol.asyncDispose]());

it("copies a volume at rest into another format and back, and tells how large it is", async () => {
  const content = randomBytes(8 * mib);
  await rig.fileOf("a", "raw", content);
  const [middle, last] = [await rig.fileOf("b", "qcow2"), await rig.fileOf("c", "raw")];
  const options = { state: rig.root, resource, signal, bytesPerSecond: 0, progress: () => undefined };
  expect(await volumeBytes(await rig.reading("b", "qcow2"), options)).toBe(BigInt(8 * mib));
  await copyVolume(await rig.reading("a"), opened(middle), options);
  await copyVolume(await rig.reading("b", "qcow2"), opened(last), options);
  expect((await readFile(join(rig.root, "c"))).equals(content)).toBe(true);
});

it("has a copy end at once when it is cancelled, or its target is full", async () => {
  await rig.fileOf("a", "raw", randomBytes(8 * mib));
  const from = await rig.reading("a");
  const to = await rig.fileOf("b", "raw");
  const cancel = new AbortController();
  const slow = {
    state: rig.root,
    resource,
    bytesPerSecond: mib,
    signal: cancel.signal,
    progress: () => cancel.abort(),
  };
  await expect(copyVolume(from, opened(to), slow)).rejects.toThrow(/abort/i);
  await run("mkdir", [join(rig.root, "full")]);
  await run("mount", ["-t", "tmpfs", "-o", "size=1m", "none", join(rig.root, "full")]);
  rig.undo.defer(async () => void (await run("umount", ["--lazy", join(rig.root, "full")])));
  const path = join(rig.root, "full", "it");
  await writeFile(path, emptyQcow2(BigInt(8 * mib)));
  const file = rig.undo.use(await open(path, "r+"));
  const options = { state: rig.root, resource, signal, bytesPerSecond: 0, progress: () => undefined };
  await expect(copyVolume(from, opened({ kind: "file", file, format: "qcow2" }), options)).rejects.toThrow("is full");
});

it("has a machine keep what it had when it is cancelled, or the switch cannot be written down", async () => {
  const machine = await rig.machineWith(await rig.fileOf("a", "raw", randomBytes(8 * mib)));
  const target = await rig.fileOf("b", "raw");
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
  await writeFile(join(rig.root, "disk"), content);
  const { stdout } = await run("losetup", ["--find", "--show", join(rig.root, "disk")]);
  const device = stdout.trim();
  rig.undo.defer(async () => void (await run("losetup", ["--detach", device])));
  const from: VolumeContent = { kind: "device", file: rig.undo.use(await open(device)) };
  const into: VolumeContent = { kind: "device", file: rig.undo.use(await open(device, "r+")) };
  const to = await rig.fileOf("b", "raw");
  const options = { state: rig.root, resource, signal, bytesPerSecond: 0, progress: () => undefined };
  expect(await volumeBytes(from, options)).toBe(BigInt(8 * mib));
  await copyVolume(from, opened(to), options);
  expect((await readFile(join(rig.root, "b"))).equals(content)).toBe(true);
  await rig.fileOf("c", "raw", Buffer.alloc(8 * mib, 7));
  await copyVolume(await rig.reading("c"), opened(into), options);
  expect((await readFile(join(rig.root, "disk"))).equals(Buffer.alloc(8 * mib, 7))).toBe(true);
});
