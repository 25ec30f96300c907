import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import type { VolumeAccess, VolumeContent } from "../abilities/volumes.js";
import { run } from "../../host/exec.js";
import { openExactly } from "../../host/open-exactly.js";
import { checkBases, copyBases, forgetBases, type RecordOptions, recordBases } from "./base-record.js";
import type { ContentDigests } from "./content-digests.js";
import { diskName } from "./ids.js";
import { type DiskFormat, type ImageChain, type ImageLayer, openChain } from "./image-chain.js";
import { parseQcow2Header, qcow2HeaderBytes } from "./qcow2.js";
import { toldOf } from "../../host/told.js";

/**
 * A disk of an instance: a file of its own, over an image that is never written, or empty; an image alone that is only read; or a volume.
 * Disposing of it closes all its files.
 */
export interface InstanceDisk extends AsyncDisposable {
  /** Its own file; undefined: it is only read, or a volume. */
  readonly overlay: FileHandle | undefined;
  /** Its image; undefined: it has none. */
  readonly chain: ImageChain | undefined;
  /** All files, top first; none of what QEMU dials itself. */
  readonly layers: readonly Layer[];
  /** What QEMU dials itself; undefined: the disk is made of files. */
  readonly remote?: RemoteContent;
  /** Size in the guest, in bytes. */
  readonly sizeBytes: bigint;
}

/** A file of a disk. */
interface Layer {
  readonly file: FileHandle;
  readonly format: DiskFormat;
  /** It is a block device; default: no. */
  readonly isDevice?: boolean;
}

/** A volume that QEMU reaches over the network. */
export type RemoteContent = Pick<Extract<VolumeContent, { readonly kind: "remote" }>, "node" | "secrets">;

/** Where and for what disks are made. */
export interface DisksOptions {
  readonly imageDirectories: readonly string[];
  /** State directory of the instance. */
  readonly directory: string;
  /** Resource name for errors. */
  readonly resource: string;
  readonly digests: ContentDigests;
  /** The volumes of the host; undefined: there are none. */
  readonly volumes: VolumeAccess | undefined;
  readonly signal: AbortSignal;
  /** The machine goes on from its memory: what was written to disks that are thrown away is still there. Default: no. */
  readonly goesOn?: boolean;
}

const mib = 1024n * 1024n;

/** Makes the overlays of persistent disks anew; those of the others are made by each start. */
export async function createDisks(disks: readonly Disk[], options: DisksOptions): Promise<void> {
  await removeDisks(options.directory);
  await mkdir(disksDirectory(options.directory), { mode: 0o700 });
  for (const [index, disk] of disks.entries()) if (disk.persistent) await createDisk(disk, index, options);
}

/** Makes the file of one persistent disk anew. Idempotent. */
export async function createDisk(disk: Disk, index: number, options: DisksOptions): Promise<void> {
  await mkdir(disksDirectory(options.directory), { recursive: true, mode: 0o700 });
  if (isImageAlone(disk)) return;
  await using chain = disk.image === "" ? undefined : await openDiskChain(disk, index, options);
  await createOverlay(ownFileOf(disk, index, options), { disk, chain, signal: options.signal });
  if (chain !== undefined) await recordBases(toRecord(disk, index, { ...options, chain }));
}

/** Removes the files of one disk. Idempotent. */
export async function removeDisk(
  disk: Disk,
  index: number,
  { directory }: Pick<DisksOptions, "directory">,
): Promise<void> {
  // It stays when the machine that has it lets go of it.
  if (isVolume(disk)) return;
  await rm(ownFileOf(disk, index, { directory }), { force: true });
  await forgetBases({ directory: disksDirectory(directory), disk: diskName(disk, index) });
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

/** Size of a disk in the guest, in bytes. @param chain its image, when it has one. */
export function diskSizeBytes(disk: Disk, chain: ImageChain | undefined): bigint {
  return disk.sizeMib === 0n && chain !== undefined ? chain.virtualSizeBytes : disk.sizeMib * mib;
}

/** The image of a disk, open; undefined: it has none. @throws {ZorError} as {@link openChain}, and when it is not of the format that the spec says. */
export async function openDiskImage(
  disk: Disk,
  index: number,
  options: Pick<DisksOptions, "imageDirectories">,
): Promise<ImageChain | undefined> {
  return disk.image === "" ? undefined : await openDiskChain(disk, index, options);
}

/**
 * Opens the images below a disk, looking that they are what a persistent one was made over; undefined: it has none.
 * @throws {ZorError} FAILED_PRECONDITION when one is not.
 */
export async function openBases(disk: Disk, index: number, options: DisksOptions): Promise<ImageChain | undefined> {
  if (disk.image === "") return undefined;
  await using opened = new AsyncDisposableStack();
  const chain = opened.use(await openDiskChain(disk, index, options));
  if (isKept(disk)) await checkBases(toRecord(disk, index, { ...options, chain }));
  opened.move();
  return chain;
}

/** Has a copy of a persistent disk stand over what the disk stands over, as that was remembered. */
export async function copyRecord(disk: string, from: string, to: string): Promise<void> {
  await copyBases({ disk, directory: disksDirectory(from) }, { disk, directory: disksDirectory(to) });
}

/** Makes an empty qcow2 file. @param base what it stands over; undefined: nothing. */
export async function makeEmptyDisk(
  path: string,
  {
    base,
    sizeBytes,
    signal,
  }: {
    readonly base?: Pick<ImageLayer, "path" | "format"> | undefined;
    readonly sizeBytes: bigint;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const below = base === undefined ? [] : ["-u", "-F", base.format, "-b", base.path];
  await run("qemu-img", ["create", "-q", "-f", "qcow2", ...below, path, `${sizeBytes}`], { signal });
}

/** Directory of an instance's overlays. */
export function disksDirectory(directory: string): string {
  return join(directory, "disks");
}

/** The overlay of a disk. */
export function overlayPathOf(name: string, { directory }: Pick<DisksOptions, "directory">): string {
  return join(disksDirectory(directory), `${name}.qcow2`);
}

/** The file of a disk that is its own, open; undefined: it is only read. @throws the system's error. */
export async function openOwnFile(
  disk: Disk,
  index: number,
  options: Pick<DisksOptions, "directory">,
): Promise<FileHandle | undefined> {
  return isImageAlone(disk) || isVolume(disk) ? undefined : await openExactly(ownFileOf(disk, index, options));
}

/** The file of a disk that is its own: an overlay, or an empty disk. */
export function ownFileOf(disk: Disk, index: number, options: Pick<DisksOptions, "directory">): string {
  const name = diskName(disk, index);
  return isRaw(disk) ? join(disksDirectory(options.directory), `${name}.raw`) : overlayPathOf(name, options);
}

/** An empty disk that is kept as it is; images are never written to, so what is over them is qcow2. */
export function isRaw({ image, format }: Disk): boolean {
  return image === "" && format === "raw";
}

/** A disk that is no part of the machine. */
export function isVolume({ volume }: Disk): boolean {
  return volume !== "";
}

/** What is written to the disk is kept, in a file of its own. */
export function isKept(disk: Disk): boolean {
  return disk.persistent && !isImageAlone(disk);
}

/** A disk that is only read needs nothing over its image. */
function isImageAlone({ image, readOnly }: Disk): boolean {
  return image !== "" && readOnly;
}

async function openDiskChain(
  disk: Disk,
  index: number,
  { imageDirectories }: Pick<DisksOptions, "imageDirectories">,
): Promise<ImageChain> {
  const field = `instance.spec.qemu.disks[${index}]`;
  await using opened = new AsyncDisposableStack();
  const chain = opened.use(await openChain(imageDirectories, disk.image, `${field}.image`));
  const [{ format }] = chain.layers;
  if (disk.format !== "" && disk.format !== format) {
    throw invalidArgument(`${field}.format`, `is ${disk.format}, but the image ${quote(disk.image)} is ${format}`);
  }
  opened.move();
  return chain;
}

function toRecord(disk: Disk, index: number, options: DisksOptions & { readonly chain: ImageChain }): RecordOptions {
  return {
    ...options,
    directory: disksDirectory(options.directory),
    disk: diskName(disk, index),
    image: disk.image,
  };
}

/** Readies one disk, see {@link openDisks}. @throws {ZorError} */
export async function openDisk(disk: Disk, index: number, options: DisksOptions): Promise<InstanceDisk> {
  if (isVolume(disk)) return await openVolume(disk, options);
  await using opened = new AsyncDisposableStack();
  const found = await openDiskImage(disk, index, options);
  const chain = found === undefined ? undefined : opened.use(found);
  const sizeBytes = diskSizeBytes(disk, chain);
  if (chain !== undefined && isImageAlone(disk)) {
    const kept = opened.move();
    return {
      overlay: undefined,
      chain,
      layers: chain.layers,
      sizeBytes,
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    };
  }
  const path = ownFileOf(disk, index, options);
  if (!disk.persistent && options.goesOn !== true) await createOverlay(path, { disk, chain, signal: options.signal });
  const overlay = opened.use(await openOverlay(path, options.resource));
  if (disk.persistent) {
    if (!isRaw(disk)) await checkOverlay(overlay, chain, options.resource);
    if (chain !== undefined) await checkBases(toRecord(disk, index, { ...options, chain }));
  }
  const kept = opened.move();
  const top: Layer = { file: overlay, format: isRaw(disk) ? "raw" : "qcow2" };
  return {
    overlay,
    chain,
    layers: [top, ...(chain?.layers ?? [])],
    sizeBytes,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function openVolume(disk: Disk, { volumes, resource }: DisksOptions): Promise<InstanceDisk> {
  if (volumes === undefined) throw new Error(`nobody told of the volumes that ${resource} names`);
  const opened = await volumes.open(disk.volume, disk.readOnly ? "r" : "r+");
  return {
    overlay: undefined,
    chain: undefined,
    ...toContent(opened),
    sizeBytes: opened.sizeBytes,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

function toContent(opened: VolumeContent): Pick<InstanceDisk, "layers" | "remote"> {
  switch (opened.kind) {
    case "file":
      return { layers: [opened] };
    case "device":
      return { layers: [{ file: opened.file, format: "raw", isDevice: true }] };
    case "remote":
      return { layers: [], remote: opened };
  }
}

async function createOverlay(
  path: string,
  {
    disk,
    chain,
    signal,
  }: { readonly disk: Disk; readonly chain: ImageChain | undefined; readonly signal: AbortSignal },
): Promise<void> {
  await rm(path, { force: true });
  const size = `${diskSizeBytes(disk, chain)}`;
  if (isRaw(disk)) {
    await using file = await open(path, "wx", 0o600);
    await file.truncate(Number(size));
    return;
  }
  const base = chain?.layers[0];
  // -u with a size: the tool does not open the image.
  const over = base === undefined ? [] : ["-u", "-F", base.format, "-b", base.path];
  await run("qemu-img", ["create", "-q", "-f", "qcow2", ...over, path, size], { signal });
}

async function openOverlay(path: string, resource: string): Promise<FileHandle> {
  return await openExactly(path, "r+").catch((cause: unknown) => {
    throw damaged(resource, `missing or cannot be opened (${toldOf(cause)})`);
  });
}

/** An overlay on another image than it was made for would be a disk of garbage. */
async function checkOverlay(overlay: FileHandle, chain: ImageChain | undefined, resource: string): Promise<void> {
  const header = await readHeader(overlay);
  if (header === undefined) throw damaged(resource, "missing or damaged");
  const base = chain?.layers[0];
  if (header.backingFile === base?.path && (base === undefined || header.backingFormat === base.format)) return;
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
