import { type FileHandle, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import type { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import { run } from "../../host/exec.js";
import { openExactly } from "../../host/open-exactly.js";
import { checkBases, type RecordOptions, recordBases } from "./base-record.js";
import type { ContentDigests } from "./content-digests.js";
import { type ImageChain, openChain } from "./image-chain.js";
import { parseQcow2Header, qcow2HeaderBytes } from "./qcow2.js";

/** A disk of an instance: its own overlay over an image that is never written. Disposing of it closes all its files. */
export interface InstanceDisk extends AsyncDisposable {
  readonly overlay: FileHandle;
  readonly chain: ImageChain;
}

/** Where and for what disks are made. */
export interface DisksOptions {
  readonly imageDirectories: readonly string[];
  /** State directory of the instance. */
  readonly directory: string;
  /** Resource name for errors. */
  readonly resource: string;
  readonly digests: ContentDigests;
  readonly signal: AbortSignal;
}

const mib = 1024n * 1024n;

/** Makes the overlays of persistent disks anew; those of the others are made by each start. */
export async function createDisks(disks: readonly Disk[], options: DisksOptions): Promise<void> {
  await removeDisks(options.directory);
  await mkdir(disksDirectory(options.directory), { mode: 0o700 });
  for (const [index, disk] of disks.entries()) {
    if (!disk.persistent) continue;
    await using chain = await openDiskChain(disk, index, options);
    await createOverlay(overlayPathOf(index, options), { disk, chain, signal: options.signal });
    await recordBases(toRecord(disk, index, { ...options, chain }));
  }
}

/** Removes all overlays. Idempotent. */
export async function removeDisks(directory: string): Promise<void> {
  await rm(disksDirectory(directory), { recursive: true, force: true });
}

/**
 * Readies all disks for a start and opens them: images are inspected again, overlays that are thrown away are made anew.
 * @throws {ZorError} FAILED_PRECONDITION when a persistent overlay is missing, or an image below it is not what it was.
 */
export async function openDisks(
  disks: readonly Disk[],
  options: DisksOptions,
): Promise<AsyncDisposable & { readonly disks: readonly InstanceDisk[] }> {
  await mkdir(disksDirectory(options.directory), { recursive: true, mode: 0o700 });
  await using opened = new AsyncDisposableStack();
  const ready: InstanceDisk[] = [];
  for (const [index, disk] of disks.entries()) ready.push(opened.use(await openDisk(disk, index, options)));
  const kept = opened.move();
  return { disks: ready, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Opens a persistent disk of a machine that does not run. @throws {ZorError} FAILED_PRECONDITION as {@link openDisks}. */
export function openPersistentDisk(disk: Disk, index: number, options: DisksOptions): Promise<InstanceDisk> {
  return openDisk(disk, index, options);
}

/** Size of the disk in the guest, in bytes. */
export function diskSizeBytes(disk: Disk, chain: ImageChain): bigint {
  return disk.sizeMib === 0n ? chain.virtualSizeBytes : disk.sizeMib * mib;
}

/** Directory of an instance's overlays. */
export function disksDirectory(directory: string): string {
  return join(directory, "disks");
}

/** The overlay of a disk. */
export function overlayPathOf(index: number, { directory }: Pick<DisksOptions, "directory">): string {
  return join(disksDirectory(directory), `disk${index}.qcow2`);
}

function openDiskChain(disk: Disk, index: number, { imageDirectories }: DisksOptions): Promise<ImageChain> {
  return openChain(imageDirectories, disk.image, `instance.spec.qemu.disks[${index}].image`);
}

function toRecord(disk: Disk, index: number, options: DisksOptions & { readonly chain: ImageChain }): RecordOptions {
  return { ...options, directory: disksDirectory(options.directory), index, image: disk.image };
}

async function openDisk(disk: Disk, index: number, options: DisksOptions): Promise<InstanceDisk> {
  await using opened = new AsyncDisposableStack();
  const chain = opened.use(await openDiskChain(disk, index, options));
  const path = overlayPathOf(index, options);
  if (!disk.persistent) await createOverlay(path, { disk, chain, signal: options.signal });
  const overlay = opened.use(await openOverlay(path, options.resource));
  if (disk.persistent) {
    await checkOverlay(overlay, chain, options.resource);
    await checkBases(toRecord(disk, index, { ...options, chain }));
  }
  const kept = opened.move();
  return { overlay, chain, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function createOverlay(
  path: string,
  { disk, chain, signal }: { readonly disk: Disk; readonly chain: ImageChain; readonly signal: AbortSignal },
): Promise<void> {
  const [base] = chain.layers;
  await rm(path, { force: true });
  // -u with a size: the tool does not open the image.
  const argv = ["create", "-q", "-f", "qcow2", "-u", "-F", base.format, "-b", base.path, path];
  await run("qemu-img", [...argv, `${diskSizeBytes(disk, chain)}`], { signal });
}

async function openOverlay(path: string, resource: string): Promise<FileHandle> {
  return await openExactly(path, "r+").catch((cause: unknown) => {
    throw damaged(resource, `missing or cannot be opened (${messageOf(cause)})`);
  });
}

/** An overlay on another image than it was made for would be a disk of garbage. */
async function checkOverlay(overlay: FileHandle, { layers: [base] }: ImageChain, resource: string): Promise<void> {
  const header = await readHeader(overlay);
  if (header === undefined) throw damaged(resource, "missing or damaged");
  if (header.backingFile === base.path && header.backingFormat === base.format) return;
  throw damaged(resource, "not over its image any more");
}

function damaged(resource: string, how: string): Error {
  const remedy = "restore it, or delete and create the instance";
  return failedPrecondition("DISK_DAMAGED", resource, `${resource}: a persistent disk is ${how}; ${remedy}`);
}

async function readHeader(file: FileHandle): Promise<ReturnType<typeof parseQcow2Header> | undefined> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, 0);
    return parseQcow2Header(buffer.subarray(0, bytesRead));
  } catch {
    return undefined;
  }
}
