import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import type { Disk } from "../../../proto/gen/zor/v1/instance.js";
import { run } from "../../host/exec.js";
import { type ImageChain, type ImageLayer, inspectImage } from "./image-chain.js";
import { parseQcow2Header, qcow2HeaderBytes } from "./qcow2.js";

/** A disk of an instance: its own overlay over an image that is never written. */
export interface InstanceDisk {
  readonly overlayPath: string;
  readonly chain: ImageChain;
}

/** Where and for what disks are made. */
export interface DisksOptions {
  readonly imageDirectories: readonly string[];
  /** State directory of the instance. */
  readonly directory: string;
  /** Resource name for errors. */
  readonly resource: string;
  readonly signal: AbortSignal;
}

const mib = 1024n * 1024n;

/** Makes the overlays of persistent disks anew; those of the others are made by each start. */
export async function createDisks(disks: readonly Disk[], options: DisksOptions): Promise<void> {
  await removeDisks(options.directory);
  await mkdir(disksDirectory(options.directory), { mode: 0o700 });
  for (const [index, disk] of disks.entries()) {
    if (disk.persistent) await createOverlay(disk, await toInstanceDisk(disk, index, options), options.signal);
  }
}

/** Removes all overlays. Idempotent. */
export async function removeDisks(directory: string): Promise<void> {
  await rm(disksDirectory(directory), { recursive: true, force: true });
}

/**
 * Readies all disks for a start: images are inspected again, overlays that are thrown away are made anew.
 * @throws {ZorError} FAILED_PRECONDITION when a persistent overlay is missing or belongs to another image.
 */
export async function prepareDisks(disks: readonly Disk[], options: DisksOptions): Promise<readonly InstanceDisk[]> {
  await mkdir(disksDirectory(options.directory), { recursive: true, mode: 0o700 });
  const prepared: InstanceDisk[] = [];
  for (const [index, disk] of disks.entries()) {
    const instanceDisk = await toInstanceDisk(disk, index, options);
    if (disk.persistent) await checkOverlay(instanceDisk, options.resource);
    else await createOverlay(disk, instanceDisk, options.signal);
    prepared.push(instanceDisk);
  }
  return prepared;
}

/** Size of the disk in the guest, in bytes. */
export function diskSizeBytes(disk: Disk, chain: ImageChain): bigint {
  return disk.sizeMib === 0n ? chain.virtualSizeBytes : disk.sizeMib * mib;
}

function disksDirectory(directory: string): string {
  return join(directory, "disks");
}

async function toInstanceDisk(disk: Disk, index: number, options: DisksOptions): Promise<InstanceDisk> {
  const chain = await inspectImage(options.imageDirectories, disk.image, `instance.spec.qemu.disks[${index}].image`);
  return { overlayPath: join(disksDirectory(options.directory), `disk${index}.qcow2`), chain };
}

async function createOverlay(disk: Disk, { overlayPath, chain }: InstanceDisk, signal: AbortSignal): Promise<void> {
  const [base] = chain.layers;
  await rm(overlayPath, { force: true });
  // -u with a size: the tool does not open the image.
  const argv = ["create", "-q", "-f", "qcow2", "-u", "-F", base.format, "-b", base.path, overlayPath];
  await run("qemu-img", [...argv, `${diskSizeBytes(disk, chain)}`], { signal });
}

/** An overlay on another image than it was made for would be a disk of garbage. */
async function checkOverlay({ overlayPath, chain }: InstanceDisk, resource: string): Promise<void> {
  const [base]: readonly ImageLayer[] = chain.layers;
  const header = await readHeader(overlayPath);
  if (header !== undefined && header.backingFile === base?.path && header.backingFormat === base.format) return;
  throw failedPrecondition(
    "DISK_DAMAGED",
    resource,
    `${resource}: a persistent disk is ${header === undefined ? "missing or damaged" : "not over its image any more"}; restore it, or delete and create the instance`,
  );
}

async function readHeader(path: string): Promise<ReturnType<typeof parseQcow2Header> | undefined> {
  try {
    await using file = await open(path, "r");
    const { buffer, bytesRead } = await file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, 0);
    return parseQcow2Header(buffer.subarray(0, bytesRead));
  } catch {
    return undefined;
  }
}
