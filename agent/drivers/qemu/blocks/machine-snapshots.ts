import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { failedPrecondition, type ZorError } from "../../../../lib/errors.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import { QemuOptions } from "../../../../proto/gen/zor/v1/qemu.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { SnapshotFacts, SnapshotTag } from "../../abilities/snapshots.js";
import type { CallOptions, DriverInstance, Progress } from "../../driver.js";
import { type DisksOptions, isVolume, overlayPathOf } from "../disks.js";
import { settleCarriers } from "../live/settle.js";
import { assertMemoryInOnePiece } from "../live/size.js";
import type { Machine } from "../machine.js";
import { qemuOptionsOf, sizeOf } from "../options.js";
import { toUserId } from "../privileges.js";
import {
  type BlockEngine,
  diskNode,
  dropBitmaps,
  innerSnapshots,
  newName,
  slowCommandMs,
  writableNodes,
} from "./block-engine.js";
import { followJobs } from "./block-jobs.js";
import { openStoppedDisks, runConfined } from "./disk-process.js";
import { whileFrozen } from "./freeze.js";
import { lookAt, whyNotQcow2, type WrittenDisk, writtenDisks } from "./written-disks.js";
import { toldOf } from "../../../host/told.js";

type Options = CallOptions & { readonly progress: Progress };
type Extra = Readonly<Record<string, string>>;

/**
 * The disks that a snapshot is kept in: the machine's own that stay, and volumes that it writes.
 * @param options.volumes the volumes of the host.
 * @throws {ZorError} FAILED_PRECONDITION when there is none, or one keeps no snapshots.
 */
function assertKeepsSnapshots(instance: DriverInstance, { volumes }: Pick<DisksOptions, "volumes">): void {
  const { name } = instance;
  const disks = writtenDisks(instance);
  if (disks.length === 0) {
    throw failedPrecondition(
      "NO_PERSISTENT_DISK",
      name,
      `${name} has no persistent disk, and snapshots are kept in those; create it with a disk that is persistent`,
    );
  }
  for (const placed of disks) {
    const { volume: id } = placed.disk;
    const volume = id === "" ? undefined : { id, ...lookAt(volumes, id, name) };
    const why = whyNotQcow2({ ...placed, volume });
    if (why === undefined) continue;
    const remedy =
      volume === undefined
        ? "take a backup instead, or have another machine with a disk that is qcow2"
        : "detach it first, with: zor volume detach; or take a backup instead, which holds it";
    throw failedPrecondition("DISK_WITHOUT_SNAPSHOTS", name, `${name}: ${why}, so it keeps no snapshots; ${remedy}`);
  }
}

/** Checks whether a snapshot of a running or stopped machine could be taken. @throws {ZorError} FAILED_PRECONDITION */
export function checkMachineSnapshot(
  instance: DriverInstance,
  isRunning: boolean,
  { memory, volumes }: SnapshotTag & Pick<DisksOptions, "volumes">,
): void {
  assertKeepsSnapshots(instance, { volumes });
  if (!memory) return;
  const { name, spec } = instance;
  if (!isRunning) {
    throw failedPrecondition(
      "INSTANCE_NOT_RUNNING",
      name,
      `${name} does not run, so it has no memory to keep; start it, or take the snapshot without memory`,
    );
  }
  const thrownAway = qemuOptionsOf(spec).disks.findIndex((disk) => !disk.persistent && !isVolume(disk));
  if (thrownAway === -1) return;
  throw failedPrecondition(
    "DISK_NOT_PERSISTENT",
    name,
    `${name}: disk ${thrownAway} is thrown away when the machine stops, so memory that refers to it cannot be kept; make the disk persistent, or take the snapshot without memory`,
  );
}

/** What is done to a machine that runs. */
interface RunningOptions extends Options {
  readonly accelerator: string;
  /** The disks that its states are kept in. */
  readonly disks: readonly WrittenDisk[];
}

/** Takes a snapshot of a running machine. */
export async function snapshotRunning(
  instance: DriverInstance,
  machine: Machine,
  wanted: SnapshotTag,
  options: RunningOptions,
): Promise<SnapshotFacts> {
  const { tag, memory } = wanted;
  const { disks } = options;
  try {
    if (!memory) {
      options.progress("keeping the disks", 20);
      const nodes = disks.map(({ node }) => node);
      const consistent = await whileFrozen(instance, machine, () => snapshotAll(machine, nodes, tag));
      return { sizeBytes: 0, consistent, extra: {}, volumes: volumesOf(disks) };
    }
    await assertMemoryInOnePiece(machine, "be kept with its memory");
    const devices = await nodesWithMemory(instance, machine, disks);
    const [vmstate = ""] = devices;
    options.progress("keeping memory and disks", 10);
    const job = newName("save");
    await machine.execute("snapshot-save", { "job-id": job, tag, vmstate, devices }, slowCommandMs);
    const onProgress = (done: number) => options.progress("keeping memory and disks", 10 + 85 * done);
    await followJobs(machine, [job], { resource: instance.name, signal: options.signal, onProgress });
    const kept = (await innerSnapshots(machine, vmstate)).find(({ name }) => name === tag);
    if (kept === undefined) throw lost(instance, "QEMU says it is kept, and it is not there");
    const extra = { hardware: hardwareOf(instance.spec, options.accelerator) };
    return { sizeBytes: kept.memoryBytes, consistent: true, extra, volumes: volumesOf(disks) };
  } catch (error) {
    await deleteFromRunning(machine, tag).catch(() => undefined);
    throw error;
  }
}

/** Takes a snapshot of the disks of a stopped machine. */
export async function snapshotStopped(
  instance: DriverInstance,
  { tag }: SnapshotTag,
  options: StoppedOptions,
): Promise<SnapshotFacts> {
  await using disks = await openStoppedDisks(instance, { ...options, withVolumes: true });
  await snapshotAll(disks, disks.disks.map(diskNode), tag);
  return { sizeBytes: 0, consistent: true, extra: {}, volumes: volumesOf(options.written) };
}

/** Has a running machine go on as it was at a snapshot with memory. */
export async function loadSnapshot(
  instance: DriverInstance,
  machine: Machine,
  wanted: SnapshotTag & { readonly extra: Extra },
  options: RunningOptions,
): Promise<void> {
  const { tag, extra } = wanted;
  if (extra["hardware"] !== hardwareOf(instance.spec, options.accelerator)) {
    throw failedPrecondition(
      "HARDWARE_CHANGED",
      instance.name,
      `${instance.name} is not made as it was when this snapshot was taken (CPUs, memory, devices or accelerator), so that memory does not fit it; make it as it was, or go back to a snapshot without memory`,
    );
  }
  const devices = await nodesWithMemory(instance, machine, options.disks);
  for (const node of devices) {
    const found = (await innerSnapshots(machine, node)).some(({ name }) => name === tag);
    if (!found) throw lost(instance, `disk ${node} does not have it`);
  }
  // What they tell is of a disk that is no more; the next backup is a full one.
  for (const node of devices) await dropBitmaps(machine, node);
  options.progress("loading memory and disks", 30);
  const [vmstate = ""] = devices;
  const job = newName("load");
  await machine.execute("snapshot-load", { "job-id": job, tag, vmstate, devices }, slowCommandMs);
  try {
    // Half a machine would be left by an abort.
    await followJobs(machine, [job], { resource: instance.name, signal: uninterrupted });
  } catch (error) {
    throw failedPrecondition(
      "SNAPSHOT_NOT_LOADED",
      instance.name,
      `${instance.name}: its disks are as they were at the snapshot, its memory could not be loaded (${toldOf(error)}); it is paused: stop and start it`,
    );
  }
  await settleCarriers(machine, instance.spec);
  await machine.execute("cont");
  machine.greetAgentAnew();
}

/** What is done to a machine that does not run. */
interface StoppedOptions extends DisksOptions {
  /** The disks that its states are kept in. */
  readonly written: readonly WrittenDisk[];
}

/** Takes the disks of a stopped machine back. Done twice it is as done once. */
export async function revertStopped(
  instance: DriverInstance,
  { tag }: SnapshotTag,
  options: StoppedOptions,
): Promise<void> {
  const kept = await prepareRevert(instance, tag, options);
  const user = toUserId(instance.uid);
  for (const disk of options.written) {
    if (!kept.includes(disk.node)) continue;
    await using opened = new AsyncDisposableStack();
    const file = opened.use(await openWritten(disk, options));
    // The program opens it anew, by its descriptor, as the user of this machine.
    const { uid, gid } = await file.stat();
    await file.chown(user, user);
    const node = { driver: "qcow2", backing: null, file: { driver: "file", filename: "/proc/self/fd/0" } };
    const argv = ["snapshot", "-q", "-a", tag, `json:${JSON.stringify(node)}`] as const;
    const said = await runConfined(["qemu-img", ...argv], { user, input: file.fd });
    await file.chown(uid, gid);
    await file.sync();
    if (said !== undefined)
      throw lost(instance, `${disk.node} could not be taken back: ${said.split("\n").at(-1) ?? ""}`);
  }
}

/** The file of a disk that states are kept in. */
async function openWritten({ node, volume }: WrittenDisk, options: DisksOptions): Promise<FileHandle> {
  if (volume === undefined) return await openExactly(overlayPathOf(node, options), "r+");
  const opened = await options.volumes?.open(volume.id, "r+");
  if (opened?.kind === "file") return opened.file;
  await opened?.[Symbol.asyncDispose]();
  throw new Error(`${volume.name} is not kept in a file`);
}

/** Deletes a snapshot of a running machine from all disks that have it. */
export async function deleteFromRunning(machine: Machine, tag: string): Promise<void> {
  const nodes = (await writableNodes(machine)).filter(({ format }) => format === "qcow2");
  await deleteFrom(
    machine,
    nodes.map(({ node }) => node),
    tag,
  );
}

/** Deletes a snapshot from the disks of a stopped machine. */
export async function deleteFromStopped(
  instance: DriverInstance,
  tag: string,
  options: DisksOptions & { readonly withVolumes?: boolean },
): Promise<void> {
  await using disks = await openStoppedDisks(instance, options);
  await deleteFrom(disks, disks.disks.map(diskNode), tag);
}

async function deleteFrom(engine: BlockEngine, nodes: readonly string[], tag: string): Promise<void> {
  for (const node of nodes) {
    if (!(await innerSnapshots(engine, node)).some(({ name }) => name === tag)) continue;
    await engine.execute("blockdev-snapshot-delete-internal-sync", { device: node, name: tag }, slowCommandMs);
  }
}

/** All disks at one instant, or none. */
export async function snapshotAll(engine: BlockEngine, nodes: readonly string[], tag: string): Promise<void> {
  const actions = nodes.map((device) => ({ type: "blockdev-snapshot-internal-sync", data: { device, name: tag } }));
  await engine.execute("transaction", { actions }, slowCommandMs);
}

/** Looks that every disk has the snapshot before any is taken back, and removes what would not be true afterwards. */
async function prepareRevert(instance: DriverInstance, tag: string, options: DisksOptions): Promise<readonly string[]> {
  await using disks = await openStoppedDisks(instance, { ...options, withVolumes: true });
  const kept: string[] = [];
  for (const node of disks.disks.map(diskNode)) {
    if ((await innerSnapshots(disks, node)).some(({ name }) => name === tag)) kept.push(node);
  }
  if (kept.length === 0) throw lost(instance, "none of its disks has it");
  for (const node of kept) await dropBitmaps(disks, node);
  return kept;
}

/** Nodes that memory is kept with: all that the guest can write to. The first one, its own if it has one, holds the memory. */
async function nodesWithMemory(
  instance: DriverInstance,
  machine: Machine,
  disks: readonly WrittenDisk[],
): Promise<readonly string[]> {
  const own = disks.filter(({ volume }) => volume === undefined).map(({ node }) => node);
  const kept = [...new Set([...own, ...disks.map(({ node }) => node)])];
  const nodes = await writableNodes(machine);
  const foreign = nodes.find(({ format }) => format !== "qcow2");
  if (foreign !== undefined) {
    throw failedPrecondition(
      "DISK_WITHOUT_SNAPSHOTS",
      instance.name,
      `${instance.name}: ${foreign.node} is ${foreign.format}, which keeps no snapshots; take the snapshot without memory`,
    );
  }
  return [...kept, ...nodes.map(({ node }) => node).filter((node) => !kept.includes(node))];
}

/** Ids of those that are volumes. */
function volumesOf(disks: readonly WrittenDisk[]): readonly string[] {
  return disks.flatMap(({ volume }) => (volume === undefined ? [] : [volume.id]));
}

/** What must be the same for memory to fit a machine. */
function hardwareOf(spec: InstanceSpec, accelerator: string): string {
  const { cpus, memoryMib } = sizeOf(spec);
  const nics = spec.nics.map(({ mac, deviceAddress }) => [mac, deviceAddress]);
  const options = QemuOptions.toJSON(qemuOptionsOf(spec));
  const text = JSON.stringify({ cpus, memoryMib, nics, options, accelerator });
  return createHash("sha256").update(text).digest("hex");
}

function lost(instance: DriverInstance, why: string): ZorError {
  return failedPrecondition(
    "SNAPSHOT_LOST",
    instance.name,
    `${instance.name} could not be taken back to the snapshot: ${why}; delete the snapshot`,
  );
}
