import { failedPrecondition, invalidFields, messageOf, type ZorError } from "../../../../lib/errors.js";
import type { Disk, DiskLimits } from "../../../../proto/gen/zor/v1/qemu.js";
import type { DiskAt } from "../../abilities/devices.js";
import { dropBitmaps } from "../blocks/block-engine.js";
import { assertSelfContained } from "../blocks/self-contained.js";
import { createDisk, type DisksOptions, openDisk, removeDisk } from "../disks.js";
import { iothreadId, toDiskDevice } from "../hardware/disk-device.js";
import { type NodeLayer, type RemoteLayer, toDiskNodes } from "../hardware/disk-nodes.js";
import { diskName } from "../ids.js";
import { asObject, numberOf, textOf } from "../json.js";
import { busOf, type MachineType } from "../placement.js";
import { removeDiskDevice } from "./leftovers.js";
import {
  addDescriptor,
  assertReachesServers,
  findBlockDevice,
  type LiveMachine,
  type LiveOptions,
  removeDevice,
} from "./live-machine.js";

/** A disk of a running machine and its place in the spec. The spec has its name and address: see placeDevices with isLive. */
export interface LiveDisk extends DiskAt {
  readonly disk: Disk;
}

/** Options of work at disks of a running machine. */
export interface LiveDiskOptions extends DisksOptions {
  readonly machine: MachineType;
}

const bytesPerMib = 1024n * 1024n;
/** Growing a raw file may write its new part. */
const resizeMs = 60_000;

/** @throws {ZorError} FAILED_PRECONDITION when disks on this bus cannot be added or taken away while a machine runs. */
function assertPluggable({ disk, index }: LiveDisk, { machine, resource }: LiveDiskOptions): void {
  const bus = busOf(disk);
  const isFixed = bus === "sata" || bus === "ide";
  if (!isFixed && machine !== "microvm") return;
  const what = isFixed ? `disks on bus ${bus}` : "disks of a microvm";
  throw failedPrecondition(
    "NOT_PLUGGABLE",
    resource,
    `${resource}: ${diskName(disk, index)}: ${what} cannot be added or taken away while it runs; stop it first, or use bus virtio, scsi, nvme or usb`,
  );
}

/**
 * Adds a disk to a running machine; its files are made. On error nothing of it is left.
 * @throws {ZorError} when an image is not as it should be, the bus takes no more, or QEMU refuses it.
 */
export async function plugDisk(machine: LiveMachine, live: LiveDisk, options: LiveDiskOptions): Promise<void> {
  assertPluggable(live, options);
  const { disk, index, areFilesKept = false } = live;
  const id = diskName(disk, index);
  await using undo = new AsyncDisposableStack();
  await assertHasBus(machine, disk, options);
  // An agent may have been ended before it had written down that it is there.
  await removeDiskDevice(machine, id, options);
  if (disk.persistent && !areFilesKept) {
    undo.defer(() => removeDisk(disk, index, options));
    await createDisk(disk, index, options);
  }
  await using files = await openDisk(disk, index, areFilesKept ? { ...options, goesOn: true } : options);
  if (!disk.persistent && !areFilesKept) undo.defer(() => removeDisk(disk, index, options));
  const sets: (NodeLayer | RemoteLayer)[] = [];
  for (const { file, format, isDevice = false } of files.layers) {
    const set = await addDescriptor(machine, file.fd);
    undo.defer(async () => void (await machine.execute("remove-fd", { "fdset-id": set }).catch(() => undefined)));
    sets.push({ set, format, isDevice });
  }
  if (files.remote !== undefined) {
    await assertReachesServers(machine, options);
    for (const secret of files.remote.secrets) await machine.execute("object-add", { "qom-type": "secret", ...secret });
    sets.push({ format: "raw", remote: files.remote.node });
  }
  for (const node of toDiskNodes(disk, sets, { id, isReadOnly: disk.readOnly })) {
    await machine.execute("blockdev-add", node);
    undo.defer(async () => void (await machine.execute("blockdev-del", { "node-name": node["node-name"] })));
  }
  await assertSelfContained(machine, options.resource);
  if (disk.iothread) {
    const thread = iothreadId(id);
    await machine.execute("object-add", { "qom-type": "iothread", id: thread });
    undo.defer(async () => void (await machine.execute("object-del", { id: thread })));
  }
  options.signal.throwIfAborted();
  await machine.execute("device_add", toDiskDevice(disk, { index, machine: options.machine, bootIndex: undefined }));
  undo.defer(() => removeDevice(machine, id, { ...options, what: id }));
  if (disk.limits !== undefined) await setDiskLimits(machine, live, options);
  undo.move();
}

/**
 * Takes a disk away from a running machine when the guest lets go of it, and deletes its own files unless they are kept. Idempotent.
 * @throws {ZorError} FAILED_PRECONDITION when the guest keeps it; then it is as before.
 */
export async function unplugDisk(machine: LiveMachine, live: LiveDisk, options: LiveDiskOptions): Promise<void> {
  assertPluggable(live, options);
  const { disk, index, areFilesKept = false } = live;
  const id = diskName(disk, index);
  await removeDiskDevice(machine, id, options);
  if (!areFilesKept) await removeDisk(disk, index, options);
}

/**
 * Has the guest see a larger disk.
 * @throws {ZorError} INVALID_ARGUMENT when it would shrink; the quota is the caller's to ask.
 */
export async function resizeDisk(machine: LiveMachine, { disk, index }: LiveDisk, options: LiveOptions): Promise<void> {
  const id = diskName(disk, index);
  const found = await getBlockDevice(machine, id, options);
  const inserted = asObject(found.facts["inserted"]);
  const has = BigInt(numberOf(asObject(inserted?.["image"]), "virtual-size") ?? 0);
  const wanted = disk.sizeMib * bytesPerMib;
  if (wanted === has || disk.sizeMib === 0n) return;
  if (wanted < has) {
    const description = `is smaller than the ${has / bytesPerMib} MiB that the disk has: disks grow only`;
    throw invalidFields([{ field: `instance.spec.qemu.disks[${index}].size_mib`, description }]);
  }
  const node = textOf(inserted, "node-name");
  const resize = () => machine.execute("block_resize", { "node-name": node, size: Number(wanted) }, resizeMs);
  try {
    await resize();
  } catch (error) {
    // One that a crash has left is of no use, and QEMU makes nothing larger that has one.
    if (!/bitmap/i.test(messageOf(error))) throw error;
    await dropBitmaps(machine, node);
    await resize();
  }
}

/** Bounds what the guest reads and writes, at once; without any it is not bounded (QMP block_set_io_throttle). */
export async function setDiskLimits(
  machine: LiveMachine,
  { disk, index }: LiveDisk,
  options: LiveOptions,
): Promise<void> {
  const { device } = await getBlockDevice(machine, diskName(disk, index), options);
  await machine.execute("block_set_io_throttle", { id: device, ...toThrottle(disk.limits) });
}

/** Bounds as QEMU takes them; pure. */
function toThrottle(limits: DiskLimits | undefined): Readonly<Record<string, number>> {
  const value = (bound: bigint | undefined): number => Number(bound ?? 0n);
  return {
    iops: value(limits?.iops),
    iops_rd: value(limits?.readIops),
    iops_wr: value(limits?.writeIops),
    bps: value(limits?.bytesPerSecond),
    bps_rd: value(limits?.readBytesPerSecond),
    bps_wr: value(limits?.writeBytesPerSecond),
  };
}

/** A running machine has the controllers that it was started with. */
async function assertHasBus(machine: LiveMachine, disk: Disk, { resource }: LiveDiskOptions): Promise<void> {
  const bus = busOf(disk);
  if (bus !== "scsi" && bus !== "usb") return;
  const found = await machine.execute("qom-list", { path: `/machine/peripheral/${bus}` }).catch(() => undefined);
  if (found !== undefined) return;
  throw noBus(resource, bus);
}

function noBus(resource: string, bus: string): ZorError {
  const remedy = `use bus virtio, or stop it first: it has a controller from its next start with something on bus ${bus}`;
  return failedPrecondition(
    "NO_BUS",
    resource,
    `${resource}: the running machine has no controller for bus ${bus}; ${remedy}`,
  );
}

async function getBlockDevice(
  machine: LiveMachine,
  id: string,
  { resource }: LiveOptions,
): Promise<NonNullable<Awaited<ReturnType<typeof findBlockDevice>>>> {
  const found = await findBlockDevice(machine, id);
  if (found !== undefined) return found;
  throw failedPrecondition("NO_DEVICE", resource, `${resource}: the running machine has no ${id}; stop and start it`);
}
