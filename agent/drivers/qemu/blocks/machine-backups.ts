import { join } from "node:path";
import { failedPrecondition } from "../../../../lib/errors.js";
import { syncDirectory } from "../../../../lib/files.js";
import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { BackedUp } from "../../abilities/backups.js";
import type { CopyOptions } from "../../abilities/copies.js";
import type { DriverInstance } from "../../driver-instance.js";
import { createDisks, diskSizeBytes, disksDirectory, isRaw, makeEmptyDisk, openDiskImage } from "../disks.js";
import { diskName, diskNumber } from "../ids.js";
import { textOf } from "../json.js";
import { assertNoVolumes } from "../machine-volumes.js";
import { openBackupFile } from "./backup-file.js";
import { qemuOptionsOf } from "../options.js";
import { type BlockEngine, diskNode, giveFile, newName, ownBitmaps, ownPrefix, slowCommandMs } from "./block-engine.js";
import { followJobs } from "./block-jobs.js";
import type { DiskCopy } from "./copy-disks.js";
import { openStoppedDisks } from "./disk-process.js";
import { replaceDisks, settleDisks } from "./replaced-disks.js";
import { assertRoom, copyFrom, keptDisks, type MachineAccess, onEngine } from "./machine-copies.js";

const granularity = 65_536;

/** Backups of machines' persistent disks, with bitmaps in the disks that tell what was written since. */
export function machineBackups(access: MachineAccess): BackedUp {
  return {
    checkBackup: async (instance) => {
      assertNoVolumes(instance, "backups");
      await assertRoom(access, instance, assertKept(instance));
    },
    takeBackup: async (instance, handle, { tag, directory, base }, options) => {
      assertNoVolumes(instance, "backups");
      const disks = assertKept(instance);
      await assertRoom(access, instance, disks);
      const source = { instance, handle };
      const tracked = disks.filter(({ disk }) => !isRaw(disk));
      const numbers = tracked.map(({ disk, index }) => diskNumber(disk, index));
      const whyFull = await onEngine(access, source, options, (engine) =>
        readyBitmaps(engine, numbers, tracked.length === disks.length ? base?.tag : undefined),
      );
      const below = base === undefined || whyFull !== "" ? undefined : base;
      await using opened = new AsyncDisposableStack();
      const copies: DiskCopy[] = [];
      for (const { disk, index } of disks) {
        const file = `${diskName(disk, index)}.qcow2`;
        const path = join(directory, file);
        const backing = below === undefined ? undefined : join("..", below.directoryName, file);
        const sizeBytes = await sizeOfDisk(access, instance, { disk, index }, options);
        const layer = backing === undefined ? undefined : { path: backing, format: "qcow2" as const };
        await makeEmptyDisk(path, { base: layer, sizeBytes, signal: options.signal });
        const target = opened.use(await openExactly(path, "r+"));
        const common = { number: diskNumber(disk, index), format: "qcow2" as const, target };
        copies.push(
          below === undefined
            ? { ...common, sync: "full" }
            : { ...common, sync: "bitmap", bitmap: bitmapOf(below.tag) },
        );
      }
      const actions = numbers.map((number) => ({
        type: "block-dirty-bitmap-add",
        data: { node: diskNode(number), name: bitmapOf(tag), persistent: true, granularity },
      }));
      let consistent: boolean;
      try {
        consistent = await copyFrom(access, source, copies, { ...options, actions });
      } catch (error) {
        await onEngine(access, source, options, (engine) => keepBitmaps(engine, numbers, base?.tag)).catch(
          () => undefined,
        );
        throw error;
      }
      await onEngine(access, source, options, (engine) => keepBitmaps(engine, numbers, tag));
      await syncDirectory(directory);
      return { consistent, whyFull: base === undefined ? "" : whyFull };
    },
    restoreBackup: (instance, directories, options) => restore(access, instance, directories, options),
    restoreInto: async (instance, directories, options) => {
      await assertRoom(access, instance, assertKept(instance));
      await replaceDisks(disksDirectory(instance.directory), async () => {
        await createDisks(qemuOptionsOf(instance.spec).disks, access.disksOptions(instance, options));
        await restore(access, instance, directories, options);
      });
    },
    settleRestore: (instance) => settleDisks(disksDirectory(instance.directory)),
  };
}

/** Removes bitmaps that are of no use. Resolves to why what was written since `tag` is not known; "": it is. */
async function readyBitmaps(engine: BlockEngine, numbers: readonly number[], tag: string | undefined): Promise<string> {
  let why = "";
  for (const number of numbers) {
    const node = diskNode(number);
    const found = (await ownBitmaps(engine, node)).find(
      (each) => tag !== undefined && textOf(each, "name") === bitmapOf(tag),
    );
    if (found === undefined)
      why =
        "what was written since the one before is not known: the machine was taken back to a snapshot, or its disks were changed";
    else if (found["inconsistent"] === true)
      why = "the machine ended uncleanly since the one before, so what was written then is not known";
  }
  await keepBitmaps(engine, numbers, why === "" ? tag : undefined);
  return why;
}

/** Removes all bitmaps but that of one backup. */
async function keepBitmaps(engine: BlockEngine, numbers: readonly number[], tag: string | undefined): Promise<void> {
  for (const number of numbers) {
    const node = diskNode(number);
    for (const bitmap of await ownBitmaps(engine, node)) {
      const name = textOf(bitmap, "name");
      if (tag !== undefined && name === bitmapOf(tag)) continue;
      await engine.execute("block-dirty-bitmap-remove", { node, name }, slowCommandMs);
    }
  }
}

async function restore(
  access: MachineAccess,
  instance: DriverInstance,
  directories: readonly string[],
  options: CopyOptions,
): Promise<void> {
  await using disks = await openStoppedDisks(instance, access.disksOptions(instance, options));
  await using opened = new AsyncDisposableStack();
  const jobs: string[] = [];
  for (const { disk, index } of assertKept(instance)) {
    let below: string | null = null;
    for (const directory of directories) {
      const path = join(directory, `${diskName(disk, index)}.qcow2`);
      const file = opened.use(await openBackupFile(path, instance.name));
      const { filename } = await giveFile(disks, file);
      const node: string = newName("from");
      await disks.execute("blockdev-add", {
        driver: "qcow2",
        "node-name": node,
        "read-only": true,
        file: { driver: "file", filename, "read-only": true },
        backing: below,
      });
      below = node;
    }
    const job = newName("job");
    jobs.push(job);
    const limit = options.bytesPerSecond === 0 ? {} : { speed: options.bytesPerSecond };
    const target = diskNode(diskNumber(disk, index));
    const data = { "job-id": job, device: below, target, sync: "full", "auto-dismiss": false, ...limit };
    await disks.execute("blockdev-backup", data, slowCommandMs);
  }
  const onProgress = (done: number) => options.progress("restoring the disks", 5 + 90 * done);
  await followJobs(disks, jobs, { resource: instance.name, signal: options.signal, onProgress });
}

async function sizeOfDisk(
  access: MachineAccess,
  instance: DriverInstance,
  { disk, index }: { readonly disk: Disk; readonly index: number },
  options: CopyOptions,
): Promise<bigint> {
  await using chain = await openDiskImage(disk, index, access.disksOptions(instance, options));
  return diskSizeBytes(disk, chain);
}

function assertKept(instance: DriverInstance): ReturnType<typeof keptDisks> {
  const disks = keptDisks(instance);
  if (disks.length > 0) return disks;
  const { name } = instance;
  throw failedPrecondition(
    "NO_PERSISTENT_DISK",
    name,
    `${name} has no persistent disk, so there is nothing to back up`,
  );
}

function bitmapOf(tag: string): string {
  return `${ownPrefix}since-${tag}`;
}
