import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { failedPrecondition, invalidArgument, resourceExhausted } from "../../../../lib/errors.js";
import { syncDirectory } from "../../../../lib/files.js";
import { quote } from "../../../../lib/names.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { Copyable, CopyOptions, Savable, SaveRequest } from "../../abilities/copies.js";
import type { DiskQuota } from "../../disk-quota.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../../driver-instance.js";
import {
  copyRecord,
  diskSizeBytes,
  type DisksOptions,
  isKept,
  isRaw,
  isVolume,
  makeEmptyDisk,
  openBases,
  openDiskImage,
  ownFileOf,
} from "../disks.js";
import { diskName, diskNumber } from "../ids.js";
import type { Machine } from "../machine.js";
import { qemuOptionsOf } from "../options.js";
import { type BlockEngine, diskNode } from "./block-engine.js";
import { atRest, type CopyDisksOptions, copyDisks, type DiskCopy } from "./copy-disks.js";
import { openStoppedDisks } from "./disk-process.js";
import { whileFrozen } from "./freeze.js";

/** What the abilities of machines need of their driver. */
export interface MachineAccess {
  /** @throws {ZorError} FAILED_PRECONDITION when it is not observed. */
  machineOf(instance: DriverInstance): Machine;
  disksOptions(instance: DriverInstance, options: CallOptions): DisksOptions;
  readonly quota: DiskQuota;
}

/** A disk of a machine. */
export interface PlacedDisk {
  /** Its place in the spec. */
  readonly index: number;
  readonly disk: Disk;
}

/** The disks that are kept over a stop. */
export function keptDisks({ spec }: DriverInstance): readonly PlacedDisk[] {
  return [...qemuOptionsOf(spec).disks.entries()].flatMap(([index, disk]) => (isKept(disk) ? [{ index, disk }] : []));
}

/** Copies of machines. */
export function machineCopies(access: MachineAccess): Copyable {
  return {
    copyInto: async (instance, handle, target, options) => {
      const disks = keptDisks(instance);
      if (disks.length === 0) return { consistent: true };
      await using opened = new AsyncDisposableStack();
      await assertRoom(access, instance, disks);
      const copies: DiskCopy[] = [];
      for (const { index, disk } of disks) {
        await copyRecord(diskName(disk, index), instance.directory, target.directory);
        const file = opened.use(await openExactly(ownFileOf(disk, index, target), "r+"));
        const format = isRaw(disk) ? "raw" : "qcow2";
        const sync = disk.image === "" ? "full" : "top";
        copies.push({ node: diskNode(diskNumber(disk, index)), format, target: file, sync });
      }
      return { consistent: await copyFrom(access, { instance, handle }, copies, options) };
    },
  };
}

/** Images of machines' disks. */
export function machineSaves(access: MachineAccess): Savable {
  const check: Savable["checkSave"] = async (instance, handle, wanted) => {
    const disk = savable(instance, handle, wanted);
    await assertRoom(access, instance, [{ index: wanted.disk, disk }]);
  };
  return {
    checkSave: check,
    saveImage: async (instance, handle, wanted, options) => {
      await check(instance, handle, wanted);
      const { disk: index, overlay, path } = wanted;
      const disk = savable(instance, handle, wanted);
      await using chain = await openBases(disk, index, access.disksOptions(instance, options));
      const sizeBytes = diskSizeBytes(disk, chain);
      await makeEmptyDisk(path, { base: overlay ? chain?.layers[0] : undefined, sizeBytes, signal: options.signal });
      await using target = await openExactly(path, "r+");
      const node = diskNode(diskNumber(disk, index));
      const copy: DiskCopy = { node, format: "qcow2", target, sync: overlay ? "top" : "full" };
      const consistent = await copyFrom(access, { instance, handle }, [copy], options);
      await syncDirectory(dirname(path));
      return { consistent };
    },
  };
}

/** A machine, running or not. */
export interface Source {
  readonly instance: DriverInstance;
  readonly handle: RecoveryHandle | undefined;
  /** The volumes that it writes are worked with too, where it does not run; default: its own disks alone. */
  readonly withVolumes?: true;
}

/** Copies disks of a machine, running or not. Resolves to whether file systems are whole in the copies. */
export async function copyFrom(
  access: MachineAccess,
  source: Source,
  copies: readonly DiskCopy[],
  options: CopyOptions & Pick<CopyDisksOptions, "actions">,
): Promise<boolean> {
  const { instance } = source;
  const common = {
    resource: instance.name,
    signal: options.signal,
    bytesPerSecond: options.bytesPerSecond,
    onProgress: (done: number) => options.progress("copying the disks", 5 + 90 * done),
    guard: async () => {
      if ((await access.quota.spareBytes()) === 0) throw full(instance.name);
    },
    ...(options.actions === undefined ? {} : { actions: options.actions }),
  };
  return await onEngine(access, source, options, async (engine, machine) => {
    const atOnce: CopyDisksOptions["atOnce"] =
      machine === undefined ? atRest : (begin) => whileFrozen(instance, machine, begin);
    return await copyDisks(engine, copies, { ...common, atOnce });
  });
}

/** Works with the disks of a machine in the QEMU that runs it, or in one that is there just for that. */
export async function onEngine<T>(
  access: MachineAccess,
  { instance, handle, withVolumes }: Source,
  options: CallOptions,
  work: (engine: BlockEngine, machine: Machine | undefined) => Promise<T>,
): Promise<T> {
  if (handle !== undefined) {
    const machine = access.machineOf(instance);
    return await work(machine, machine);
  }
  const which = { withVolumes: withVolumes === true };
  await using disks = await openStoppedDisks(instance, { ...access.disksOptions(instance, options), ...which });
  return await work(disks, undefined);
}

/** What is there of the disks and their images is the most that a copy may take. @throws {ZorError} RESOURCE_EXHAUSTED */
export async function assertRoom(
  access: MachineAccess,
  instance: DriverInstance,
  disks: readonly PlacedDisk[],
): Promise<void> {
  const options = access.disksOptions(instance, { signal: uninterrupted });
  let needed = 0;
  for (const { index, disk } of disks) {
    if (isVolume(disk)) {
      needed += await volumeBytesOf(disk.volume, options);
      continue;
    }
    await using chain = await openDiskImage(disk, index, options);
    for (const { file } of chain?.layers ?? []) needed += (await file.stat()).blocks * 512;
    needed += await stat(ownFileOf(disk, index, instance)).then(
      ({ blocks }) => blocks * 512,
      () => 0,
    );
  }
  const why = (spare: number) => `a copy may take ${needed} bytes, and the host's disk has ${spare} to give`;
  await access.quota.assertSpare(instance.name, needed, why);
}

/** Most bytes that the content of a volume takes. */
async function volumeBytesOf(id: string, { volumes, resource }: DisksOptions): Promise<number> {
  if (volumes === undefined) throw new Error(`nobody told of the volumes that ${resource} names`);
  await using opened = await volumes.open(id, "r");
  return opened.kind === "file" ? (await opened.file.stat()).blocks * 512 : Number(opened.sizeBytes);
}

function savable(instance: DriverInstance, handle: RecoveryHandle | undefined, wanted: SaveRequest): Disk {
  const { name, spec } = instance;
  const { disks } = qemuOptionsOf(spec);
  const disk = disks[wanted.disk];
  if (disks.length === 0) {
    throw failedPrecondition("NO_DISK", name, `${name} has no disk, so there is nothing to save; it runs from memory`);
  }
  if (disk === undefined) throw noDisk(wanted.disk);
  if (wanted.overlay && disk.image === "") {
    throw failedPrecondition(
      "NO_IMAGE",
      name,
      `${name}: its disk ${wanted.disk} has no image below; save it flattened`,
    );
  }
  if (isKept(disk)) return disk;
  if (disk.image !== "" && disk.readOnly) {
    throw failedPrecondition(
      "DISK_READ_ONLY",
      name,
      `${name}: its disk ${wanted.disk} is only read, so it holds what its image ${quote(disk.image)} holds`,
    );
  }
  if (handle === undefined) {
    throw failedPrecondition(
      "INSTANCE_NOT_RUNNING",
      name,
      `${name} does not run, and its disk ${wanted.disk} is thrown away at each start: it holds what its image holds; start it first`,
    );
  }
  if (!wanted.overlay) return disk;
  throw failedPrecondition(
    "DISK_NOT_PERSISTENT",
    name,
    `${name}: what its disk ${wanted.disk} stands over was not remembered, because it is thrown away when the machine stops; save it flattened`,
  );
}

function noDisk(index: number): Error {
  return invalidArgument("disk", `the instance has no disk ${index}; count from 0`);
}

function full(name: string): Error {
  return resourceExhausted(
    "DISK_FULL",
    `${name}: the host's disk has been filled up to its reserve meanwhile; free some space and try again`,
    name,
  );
}
