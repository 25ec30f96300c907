import { createHash } from "node:crypto";
import { failedPrecondition, messageOf, type ZorError } from "../../../../lib/errors.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import { QemuOptions } from "../../../../proto/gen/zor/v1/qemu.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { SnapshotFacts, SnapshotTag } from "../../abilities/snapshots.js";
import type { CallOptions, DriverInstance, Progress } from "../../driver.js";
import { type DisksOptions, isKept, overlayPathOf } from "../disks.js";
import { diskNumber } from "../ids.js";
import { assertMemoryInOnePiece } from "../live/size.js";
import type { Machine } from "../machine.js";
import { assertNoVolumes } from "../machine-volumes.js";
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

type Options = CallOptions & { readonly progress: Progress };
type Extra = Readonly<Record<string, string>>;

/** Places of the disks that a snapshot is kept in. @throws {ZorError} FAILED_PRECONDITION when there is none. */
function persistentDisks({ name, spec }: DriverInstance): readonly number[] {
  const disks = [...qemuOptionsOf(spec).disks.entries()].flatMap(([index, disk]) =>
    isKept(disk) ? [diskNumber(disk, index)] : [],
  );
  if (disks.length > 0) return disks;
  throw failedPrecondition(
    "NO_PERSISTENT_DISK",
    name,
    `${name} has no persistent disk, and snapshots are kept in those; create it with a disk that is persistent`,
  );
}

/** Checks whether a snapshot of a running or stopped machine could be taken. @throws {ZorError} FAILED_PRECONDITION */
export function checkMachineSnapshot(instance: DriverInstance, isRunning: boolean, { memory }: SnapshotTag): void {
  persistentDisks(instance);
  assertNoVolumes(instance, "snapshots");
  if (!memory) return;
  const { name, spec } = instance;
  if (!isRunning) {
    throw failedPrecondition(
      "INSTANCE_NOT_RUNNING",
      name,
      `${name} does not run, so it has no memory to keep; start it, or take the snapshot without memory`,
    );
  }
  const thrownAway = qemuOptionsOf(spec).disks.findIndex(({ persistent }) => !persistent);
  if (thrownAway === -1) return;
  throw failedPrecondition(
    "DISK_NOT_PERSISTENT",
    name,
    `${name}: disk ${thrownAway} is thrown away when the machine stops, so memory that refers to it cannot be kept; make the disk persistent, or take the snapshot without memory`,
  );
}

/** Takes a snapshot of a running machine. */
export async function snapshotRunning(
  instance: DriverInstance,
  machine: Machine,
  wanted: SnapshotTag,
  options: Options & { readonly accelerator: string },
): Promise<SnapshotFacts> {
  const { tag, memory } = wanted;
  try {
    if (!memory) {
      const disks = persistentDisks(instance);
      options.progress("keeping the disks", 20);
      const consistent = await whileFrozen(instance, machine, () => snapshotAll(machine, disks, tag));
      return { sizeBytes: 0, consistent, extra: {} };
    }
    await assertMemoryInOnePiece(machine, "be kept with its memory");
    const devices = await nodesWithMemory(instance, machine);
    const [vmstate = ""] = devices;
    options.progress("keeping memory and disks", 10);
    const job = newName("save");
    await machine.execute("snapshot-save", { "job-id": job, tag, vmstate, devices }, slowCommandMs);
    const onProgress = (done: number) => options.progress("keeping memory and disks", 10 + 85 * done);
    await followJobs(machine, [job], { resource: instance.name, signal: options.signal, onProgress });
    const kept = (await innerSnapshots(machine, vmstate)).find(({ name }) => name === tag);
    if (kept === undefined) throw lost(instance, "QEMU says it is kept, and it is not there");
    const extra = { hardware: hardwareOf(instance.spec, options.accelerator) };
    return { sizeBytes: kept.memoryBytes, consistent: true, extra };
  } catch (error) {
    await deleteFromRunning(machine, tag).catch(() => undefined);
    throw error;
  }
}

/** Takes a snapshot of the disks of a stopped machine. */
export async function snapshotStopped(
  instance: DriverInstance,
  { tag }: SnapshotTag,
  options: DisksOptions,
): Promise<SnapshotFacts> {
  await using disks = await openStoppedDisks(instance, options);
  await snapshotAll(disks, disks.disks, tag);
  return { sizeBytes: 0, consistent: true, extra: {} };
}

/** Has a running machine go on as it was at a snapshot with memory. */
export async function loadSnapshot(
  instance: DriverInstance,
  machine: Machine,
  wanted: SnapshotTag & { readonly extra: Extra },
  options: Options & { readonly accelerator: string },
): Promise<void> {
  const { tag, extra } = wanted;
  if (extra["hardware"] !== hardwareOf(instance.spec, options.accelerator)) {
    throw failedPrecondition(
      "HARDWARE_CHANGED",
      instance.name,
      `${instance.name} is not made as it was when this snapshot was taken (CPUs, memory, devices or accelerator), so that memory does not fit it; make it as it was, or go back to a snapshot without memory`,
    );
  }
  const devices = await nodesWithMemory(instance, machine);
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
      `${instance.name}: its disks are as they were at the snapshot, its memory could not be loaded (${messageOf(error)}); it is paused: stop and start it`,
    );
  }
  await machine.execute("cont");
  machine.greetAgentAnew();
}

/** Takes the disks of a stopped machine back. Done twice it is as done once. */
export async function revertStopped(
  instance: DriverInstance,
  { tag }: SnapshotTag,
  options: DisksOptions,
): Promise<void> {
  const kept = await prepareRevert(instance, tag, options);
  const user = toUserId(instance.uid);
  for (const index of kept) {
    await using overlay = await openExactly(overlayPathOf(diskNode(index), options), "r+");
    // The program opens it anew, by its descriptor, as the user of this machine.
    await overlay.chown(user, user);
    const node = { driver: "qcow2", backing: null, file: { driver: "file", filename: "/proc/self/fd/0" } };
    const argv = ["snapshot", "-q", "-a", tag, `json:${JSON.stringify(node)}`] as const;
    const said = await runConfined(["qemu-img", ...argv], { user, input: overlay.fd });
    await overlay.chown(0, 0);
    await overlay.sync();
    if (said !== undefined)
      throw lost(instance, `disk ${index} could not be taken back: ${said.split("\n").at(-1) ?? ""}`);
  }
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
export async function deleteFromStopped(instance: DriverInstance, tag: string, options: DisksOptions): Promise<void> {
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
export async function snapshotAll(engine: BlockEngine, disks: readonly number[], tag: string): Promise<void> {
  const actions = disks.map((index) => ({
    type: "blockdev-snapshot-internal-sync",
    data: { device: diskNode(index), name: tag },
  }));
  await engine.execute("transaction", { actions }, slowCommandMs);
}

/** Looks that every disk has the snapshot before any is taken back, and removes what would not be true afterwards. */
async function prepareRevert(instance: DriverInstance, tag: string, options: DisksOptions): Promise<readonly number[]> {
  await using disks = await openStoppedDisks(instance, options);
  const missing: number[] = [];
  for (const index of disks.disks) {
    const found = (await innerSnapshots(disks, diskNode(index))).some(({ name }) => name === tag);
    if (!found) missing.push(index);
  }
  const kept = disks.disks.filter((index) => !missing.includes(index));
  if (kept.length === 0) throw lost(instance, "none of its disks has it");
  for (const index of kept) await dropBitmaps(disks, diskNode(index));
  return kept;
}

/** Nodes that memory is kept with: all that the guest can write to. The first one holds the memory. */
async function nodesWithMemory(instance: DriverInstance, machine: Machine): Promise<readonly string[]> {
  const persistent = persistentDisks(instance).map(diskNode);
  const nodes = await writableNodes(machine);
  const foreign = nodes.find(({ format }) => format !== "qcow2");
  if (foreign !== undefined) {
    throw failedPrecondition(
      "DISK_WITHOUT_SNAPSHOTS",
      instance.name,
      `${instance.name}: ${foreign.node} is ${foreign.format}, which keeps no snapshots; take the snapshot without memory`,
    );
  }
  return [...persistent, ...nodes.map(({ node }) => node).filter((node) => !persistent.includes(node))];
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
