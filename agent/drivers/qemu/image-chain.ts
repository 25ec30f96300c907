import { open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { isInside, resolveImage } from "../images.js";
import { isQcow2, parseQcow2Header, Qcow2FormatError, qcow2HeaderBytes } from "./qcow2.js";

/** Format of a disk image; always told to QEMU, which would otherwise guess. */
export type DiskFormat = "qcow2" | "raw";

/** One image file that was inspected. */
export interface ImageLayer {
  /** Real absolute path inside an image directory. */
  readonly path: string;
  readonly format: DiskFormat;
}

/** A disk image with the images below it. */
export interface ImageChain {
  /** The named image first, its backing files after it. */
  readonly layers: readonly [ImageLayer, ...ImageLayer[]];
  /** Size that the guest sees, in bytes. */
  readonly virtualSizeBytes: bigint;
}

const maxLayers = 8;
const sectorBytes = 512n;

/** Beginnings of formats that would be served as raw bytes if nobody noticed. */
const foreignFormats: readonly { readonly name: string; readonly offset: number; readonly magic: Buffer }[] = [
  { name: "VMDK", offset: 0, magic: Buffer.from("KDMV") },
  { name: "VMDK", offset: 0, magic: Buffer.from("COWD") },
  { name: "VMDK", offset: 0, magic: Buffer.from("# Disk DescriptorFile") },
  { name: "VHDX", offset: 0, magic: Buffer.from("vhdxfile") },
  { name: "VHD", offset: 0, magic: Buffer.from("conectix") },
  { name: "VDI", offset: 0x40, magic: Buffer.from([0x7f, 0x10, 0xda, 0xbe]) },
  { name: "QED", offset: 0, magic: Buffer.from("QED\0") },
  { name: "LUKS", offset: 0, magic: Buffer.from([0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]) },
];

/**
 * Finds and inspects a disk image and everything it refers to, before any tool opens it.
 * @throws {ZorError} INVALID_ARGUMENT when it or a backing file is outside the image directories, encrypted, damaged, of another
 * format, or keeps its data elsewhere; FAILED_PRECONDITION when it is not there.
 */
export async function inspectImage(directories: readonly string[], name: string, field: string): Promise<ImageChain> {
  const resolved = await resolveImage(directories, name, { field, accept: ["file"] });
  const top = await inspectLayer(resolved.path, { field, name });
  const layers: [ImageLayer, ...ImageLayer[]] = [top.layer];
  for (let below = top.backing; below !== undefined; ) {
    if (layers.length >= maxLayers) {
      throw invalidArgument(
        field,
        `${quote(name)} has more than ${maxLayers - 1} backing files; flatten it with: qemu-img convert`,
      );
    }
    const path = await resolveBacking(directories, below, { field, name });
    const next = await inspectLayer(path, { field, name });
    if (next.layer.format !== below.format) {
      throw invalidArgument(
        field,
        `${quote(name)} has a backing file that is ${next.layer.format}, not ${below.format} as it says`,
      );
    }
    layers.push(next.layer);
    below = next.backing;
  }
  return { layers, virtualSizeBytes: top.virtualSizeBytes };
}

interface Subject {
  readonly field: string;
  readonly name: string;
}

interface BackingReference {
  readonly name: string;
  readonly format: DiskFormat;
  /** Directory that relative names start from. */
  readonly directory: string;
}

async function inspectLayer(
  path: string,
  subject: Subject,
): Promise<{ layer: ImageLayer; virtualSizeBytes: bigint; backing: BackingReference | undefined }> {
  const { start, sizeBytes } = await readStart(path, subject);
  if (!isQcow2(start)) {
    const foreign = foreignFormats.find(({ offset, magic }) =>
      start.subarray(offset, offset + magic.length).equals(magic),
    );
    if (foreign !== undefined) {
      throw refused(subject, `is a ${foreign.name} image; convert it with: qemu-img convert -O qcow2`);
    }
    if (sizeBytes === 0n || sizeBytes % sectorBytes !== 0n) {
      throw refused(subject, "is neither qcow2 nor a raw image: its size is not a multiple of 512 bytes");
    }
    return { layer: { path, format: "raw" }, virtualSizeBytes: sizeBytes, backing: undefined };
  }
  const header = parseHeader(start, subject);
  if (header.encrypted) throw refused(subject, "is encrypted, which is not supported");
  if (header.externalData) throw refused(subject, "keeps its data in another file, which is not supported");
  if (header.corrupt) throw refused(subject, "is marked as damaged; repair it with: qemu-img check -r all");
  const backing = toBackingReference(header, dirname(path), subject);
  return { layer: { path, format: "qcow2" }, virtualSizeBytes: header.virtualSizeBytes, backing };
}

function parseHeader(start: Buffer, subject: Subject): ReturnType<typeof parseQcow2Header> {
  try {
    return parseQcow2Header(start);
  } catch (error) {
    if (error instanceof Qcow2FormatError) throw refused(subject, error.message);
    throw error;
  }
}

function toBackingReference(
  header: ReturnType<typeof parseQcow2Header>,
  directory: string,
  subject: Subject,
): BackingReference | undefined {
  const { backingFile, backingFormat } = header;
  if (backingFile === undefined) return undefined;
  // "json:", "nbd:" and the like: QEMU takes everything before a colon for a protocol unless a slash comes first.
  if (/^[^/]*:/.test(backingFile) || /[\0-\x1f]/.test(backingFile)) {
    throw refused(subject, "has a backing file that is not a plain file");
  }
  if (backingFormat !== "qcow2" && backingFormat !== "raw") {
    throw refused(
      subject,
      "does not tell the format of its backing file as qcow2 or raw; set it with: qemu-img rebase -u -F",
    );
  }
  return { name: backingFile, format: backingFormat, directory };
}

async function resolveBacking(
  directories: readonly string[],
  backing: BackingReference,
  subject: Subject,
): Promise<string> {
  const wanted = isAbsolute(backing.name) ? backing.name : join(backing.directory, backing.name);
  const path = await realpath(wanted).catch(() => undefined);
  const roots = await Promise.all(directories.map((directory) => realpath(directory).catch(() => undefined)));
  if (path !== undefined && roots.some((root) => root !== undefined && isInside(root, path))) return path;
  // One answer for missing and outside: what exists elsewhere on the host is nobody's business.
  throw refused(subject, "has a backing file that is not inside an image directory of the agent");
}

async function readStart(path: string, subject: Subject): Promise<{ start: Buffer; sizeBytes: bigint }> {
  try {
    await using file = await open(path, "r");
    const { size, isFile } = await file.stat().then((found) => ({ size: found.size, isFile: found.isFile() }));
    if (!isFile) throw refused(subject, "is not a file");
    const { buffer, bytesRead } = await file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, 0);
    return { start: buffer.subarray(0, bytesRead), sizeBytes: BigInt(size) };
  } catch (cause) {
    if (cause instanceof ZorError) throw cause;
    throw new ZorError({
      reason: "IMAGE_UNREADABLE",
      code: status.FAILED_PRECONDITION,
      message: `${subject.field}: the image ${quote(subject.name)} cannot be read on the host`,
      cause,
    });
  }
}

function refused(subject: Subject, why: string): ZorError {
  return invalidArgument(subject.field, `the image ${quote(subject.name)} ${why}`);
}
