import { rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../../lib/errors.js";
import { syncDirectory } from "../../../../lib/files.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { BackedUp, BackedUpVolume, BackupFacts, BackupLayer, BackupRequest } from "../../abilities/backups.js";
import type { CopyOptions } from "../../abilities/copies.js";
import type { VolumeContent } from "../../abilities/volumes.js";
import type { DriverInstance } from "../../driver-instance.js";
import { createDisks, disksDirectory, makeEmptyDisk } from "../disks.js";
import { diskName, diskNumber } from "../ids.js";
import { textOf } from "../json.js";
import { qemuOptionsOf } from "../options.js";
import { backupFile } from "./backup-file.js";
import { type BlockEngine, diskNode, giveFile, newName, ownBitmaps, ownPrefix, slowCommandMs } from "./block-engine.js";
import { followJobs } from "./block-jobs.js";
import type { DiskCopy } from "./copy-disks.js";
import { openStoppedDisks } from "./disk-process.js";
import {
  assertRoom,
  copyFrom,
  keptDisks,
  type MachineAccess,
  onEngine,
  type PlacedDisk,
  type Source,
} from "./machine-copies.js";
import { replaceDisks, settleDisks } from "./replaced-disks.js";
import { assertSelfContained } from "./self-contained.js";
import { addVolume, nodeBytes } from "./volume-node.js";
import { findWrittenDisks, whyNotQcow2, type WrittenDisk, writtenDisks } from "./written-disks.js";

const granularity = 65_536;
const bytesPerMib = 1024n * 1024n;

/** Backups of machines' persistent disks and of the volumes that they write, with bitmaps in them that tell what was written since. */
export function machineBackups(access: MachineAccess): BackedUp {
  const volumesOf = (instance: DriverInstance) => access.disksOptions(instance, { signal: uninterrupted }).volumes;
  return {
    checkBackup: async (instance) => assertRoom(access, instance, assertKept(instance)),
    takeBackup: (instance, handle, wanted, options) =>
      take(access, { instance, handle, withVolumes: true }, wanted, options),
    withoutVolumes,
    restoreBackup: async (instance, backup, options) => {
      const files = keptDisks(instance).map((placed) => ({ ...placed, file: fileOf(placed, backup.volumes) }));
      await restoreDisks(access, instance, { ...backup, files, targets: [] }, options);
    },
    restoreInto: async (instance, backup, options) => {
      const own = keptDisks(instance);
      await assertRoom(access, instance, own);
      const volumes = volumesOf(instance);
      const settle = (keep: "new" | "old") => volumes?.settleReplaced(instance.uid, keep) ?? Promise.resolve();
      await replaceDisks(disksDirectory(instance.directory), {
        make: async () => {
          await createDisks(qemuOptionsOf(instance.spec).disks, access.disksOptions(instance, options));
          await using opened = new AsyncDisposableStack();
          const targets: RestoredVolume[] = [];
          for (const { volume, uid } of backup.volumes) {
            if (volumes === undefined) throw new Error(`nobody told of the volumes of ${instance.name}`);
            const content = opened.use(await volumes.replace(volume, instance.uid));
            targets.push({ content, file: volumeFile(uid) });
          }
          const files = own.map((placed) => ({ ...placed, file: ownFile(placed) }));
          await restoreDisks(access, instance, { ...backup, files, targets }, options);
          await options.verify();
        },
        settle,
      });
    },
    settleRestore: (instance) => {
      const volumes = volumesOf(instance);
      return settleDisks(disksDirectory(instance.directory), async (keep) =>
        volumes?.settleReplaced(instance.uid, keep),
      );
    },
  };
}

async function take(
  access: MachineAccess,
  source: Source,
  { tag, directory, base }: BackupRequest,
  options: CopyOptions,
): Promise<BackupFacts> {
  const { instance } = source;
  await assertRoom(access, instance, assertKept(instance));
  const disks = await findWrittenDisks(access, source, options);
  const untracked = disks.flatMap((disk) => whyNotQcow2(disk) ?? []);
  const nodes = disks.filter((disk) => whyNotQcow2(disk) === undefined).map(({ node }) => node);
  const { why: unknown, sizes } = await onEngine(access, source, options, async (engine) => ({
    why: tag === "" ? "" : await readyBitmaps(engine, nodes, untracked.length === 0 ? base?.tag : undefined),
    sizes: new Map(await sizesOf(engine, disks)),
  }));
  const [first] = untracked;
  const whyFull =
    first === undefined ? unknown : `${first}, so what was written to it since the one before is not known`;
  const below = base === undefined || whyFull !== "" ? undefined : base;
  await using opened = new AsyncDisposableStack();
  const copies: DiskCopy[] = [];
  for (const disk of disks) {
    const file = disk.volume === undefined ? ownFile(disk) : volumeFile(disk.volume.uid);
    const path = join(directory, file);
    const backing = below === undefined ? undefined : join("..", below.directoryName, file);
    const layer = backing === undefined ? undefined : { path: backing, format: "qcow2" as const };
    await makeEmptyDisk(path, { base: layer, sizeBytes: sizes.get(disk.node) ?? 0n, signal: options.signal });
    const target = opened.use(await openExactly(path, "r+"));
    const common = { node: disk.node, format: "qcow2" as const, target };
    copies.push(
      below === undefined ? { ...common, sync: "full" } : { ...common, sync: "bitmap", bitmap: bitmapOf(below.tag) },
    );
  }
  const tracked = tag === "" ? [] : nodes;
  const actions = tracked.map((node) => ({
    type: "block-dirty-bitmap-add",
    data: { node, name: bitmapOf(tag), persistent: true, granularity },
  }));
  let consistent: boolean;
  try {
    consistent = await copyFrom(access, source, copies, { ...options, actions });
  } catch (error) {
    await onEngine(access, source, options, (engine) => keepBitmaps(engine, tracked, base?.tag)).catch(() => undefined);
    throw error;
  }
  await onEngine(access, source, options, (engine) => keepBitmaps(engine, tracked, tag));
  await syncDirectory(directory);
  const volumes = disks.flatMap(({ disk, index, node, volume }) => {
    if (volume === undefined) return [];
    const { id, uid } = volume;
    return [{ disk: diskName(disk, index), volume: id, uid, sizeBytes: Number(sizes.get(node) ?? 0n) }];
  });
  return { consistent, whyFull: base === undefined ? "" : whyFull, volumes };
}

/** Disks of its own stand for the volumes that a machine wrote; pure. */
function withoutVolumes(spec: InstanceSpec, volumes: readonly BackedUpVolume[]): InstanceSpec {
  if (spec.driver?.$case !== "qemu") return spec;
  const disks = spec.driver.value.disks.map((disk, index): Disk => {
    const backedUp = volumes.find((each) => each.disk === diskName(disk, index));
    if (backedUp === undefined) return disk;
    const sizeMib = (BigInt(backedUp.sizeBytes) + bytesPerMib - 1n) / bytesPerMib;
    return { ...disk, volume: "", persistent: true, sizeMib };
  });
  return { ...spec, driver: { $case: "qemu", value: { ...spec.driver.value, disks } } };
}

/** The file of a disk in a backup that was a volume then, or the machine's own; pure. */
function fileOf(placed: PlacedDisk, volumes: readonly BackedUpVolume[]): string {
  const name = diskName(placed.disk, placed.index);
  const backedUp = volumes.find(({ disk }) => disk === name);
  return backedUp === undefined ? ownFile(placed) : volumeFile(backedUp.uid);
}

function ownFile({ disk, index }: PlacedDisk): string {
  return `${diskName(disk, index)}.qcow2`;
}

/** By its identity: another volume may be the same disk later. */
function volumeFile(uid: string): string {
  return `volume-${uid}.qcow2`;
}

async function sizesOf(
  engine: BlockEngine,
  disks: readonly WrittenDisk[],
): Promise<readonly (readonly [string, bigint])[]> {
  const sizes: (readonly [string, bigint])[] = [];
  for (const { node } of disks) sizes.push([node, await nodeBytes(engine, node)]);
  return sizes;
}

/** Removes bitmaps that are of no use. Resolves to why what was written since `tag` is not known; "": it is. */
async function readyBitmaps(engine: BlockEngine, nodes: readonly string[], tag: string | undefined): Promise<string> {
  let why = "";
  for (const node of nodes) {
    const found = (await ownBitmaps(engine, node)).find(
      (each) => tag !== undefined && textOf(each, "name") === bitmapOf(tag),
    );
    if (found === undefined)
      why =
        "what was written since the one before is not known: the machine was taken back to a snapshot, or its disks were changed";
    else if (found["inconsistent"] === true)
      why = "the machine ended uncleanly since the one before, so what was written then is not known";
  }
  await keepBitmaps(engine, nodes, why === "" ? tag : undefined);
  return why;
}

/** Removes all bitmaps but that of one backup. */
async function keepBitmaps(engine: BlockEngine, nodes: readonly string[], tag: string | undefined): Promise<void> {
  for (const node of nodes) {
    for (const bitmap of await ownBitmaps(engine, node)) {
      const name = textOf(bitmap, "name");
      if (tag !== undefined && name === bitmapOf(tag)) continue;
      await engine.execute("block-dirty-bitmap-remove", { node, name }, slowCommandMs);
    }
  }
}

/** A volume that a backup is restored into. */
interface RestoredVolume {
  readonly content: VolumeContent;
  /** Name of its file in the backup. */
  readonly file: string;
}

/** What is restored, and where to. */
interface Restoring {
  readonly layers: readonly BackupLayer[];
  /** The machine's own disks, with the names of their files. */
  readonly files: readonly (PlacedDisk & { readonly file: string })[];
  readonly targets: readonly RestoredVolume[];
}

async function restoreDisks(
  access: MachineAccess,
  instance: DriverInstance,
  restoring: Restoring,
  options: CopyOptions,
): Promise<void> {
  await copyBack(access, instance, restoring, options);
  // The QEMU that wrote it has ended, so all of it is written.
  for (const { content } of restoring.targets) if (content.kind !== "remote") await content.file.sync();
}

async function copyBack(
  access: MachineAccess,
  instance: DriverInstance,
  { layers, files, targets }: Restoring,
  options: CopyOptions,
): Promise<void> {
  const { name: resource } = instance;
  const network = targets.some(({ content }) => content.kind === "remote");
  await using disks = await openStoppedDisks(instance, { ...access.disksOptions(instance, options), network });
  await using opened = new AsyncDisposableStack();
  const wanted = files.map(({ disk, index, file }) => ({ node: diskNode(diskNumber(disk, index)), file }));
  for (const { content, file } of targets) {
    const node = newName("to");
    await addVolume(disks, content, { resource, nodeName: node });
    wanted.push({ node, file });
  }
  const jobs: string[] = [];
  assertHasFiles(
    instance.name,
    layers.at(-1),
    wanted.map(({ file }) => file),
  );
  for (const { node: target, file } of wanted) {
    let below: string | null = null;
    for (const layer of layers) {
      const found = await backupFile(layer, file, resource);
      const { filename } = await giveFile(disks, found);
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
    await assertSelfContained(disks, resource);
    const whole = await asLargeAs(disks, { source: below ?? "", target }, { instance, opened, signal: options.signal });
    const job = newName("job");
    jobs.push(job);
    const limit = options.bytesPerSecond === 0 ? {} : { speed: options.bytesPerSecond };
    const data = { "job-id": job, device: whole, target, sync: "full", "auto-dismiss": false, ...limit };
    await disks.execute("blockdev-backup", data, slowCommandMs);
  }
  const onProgress = (done: number) => options.progress("restoring the disks", 5 + 90 * done);
  await followJobs(disks, jobs, { resource, signal: options.signal, onProgress });
}

/** @throws {ZorError} FAILED_PRECONDITION when a disk that is to hold the backup is none of its disks. */
function assertHasFiles(name: string, layer: BackupLayer | undefined, files: readonly string[]): void {
  const missing = files.find((file) => !layer?.has(file));
  if (missing === undefined) return;
  const disk = missing.slice(0, missing.indexOf("."));
  const why = `${disk} is not in the backup, because the machine did not have it then`;
  throw failedPrecondition("NOT_IN_BACKUP", name, `${name}: ${why}; restore it as another instance, with --as`);
}

/** A node with the content of another one, and nothing after its end, as large as a third. */
async function asLargeAs(
  engine: BlockEngine,
  { source, target }: { readonly source: string; readonly target: string },
  how: { readonly instance: DriverInstance; readonly opened: AsyncDisposableStack; readonly signal: AbortSignal },
): Promise<string> {
  const [has, sizeBytes] = [await nodeBytes(engine, source), await nodeBytes(engine, target)];
  if (has === sizeBytes) return source;
  const { name, directory } = how.instance;
  if (has > sizeBytes) {
    const why = `a disk of the backup has ${has} bytes, and what it is to be restored into ${sizeBytes}`;
    throw failedPrecondition("DISK_SMALLER", name, `${name}: ${why}; make that larger first`);
  }
  const path = join(disksDirectory(directory), `${newName("larger")}.qcow2`);
  how.opened.defer(() => rm(path, { force: true }));
  await makeEmptyDisk(path, { sizeBytes, signal: how.signal });
  const file = how.opened.use(await openExactly(path, "r+"));
  const { filename } = await giveFile(engine, file);
  const node = newName("larger");
  const nodes = { driver: "qcow2", "node-name": node, file: { driver: "file", filename }, backing: source };
  await engine.execute("blockdev-add", nodes);
  return node;
}

function assertKept(instance: DriverInstance): ReturnType<typeof writtenDisks> {
  const disks = writtenDisks(instance);
  if (disks.length > 0) return disks;
  const { name } = instance;
  throw failedPrecondition(
    "NO_PERSISTENT_DISK",
    name,
    `${name} has no persistent disk and writes to no volume, so there is nothing to back up`,
  );
}

function bitmapOf(tag: string): string {
  return `${ownPrefix}since-${tag}`;
}
