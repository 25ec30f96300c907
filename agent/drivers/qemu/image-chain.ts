import type { FileHandle } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { findForeignFormat } from "../foreign-format.js";
import { type OpenImage, openImage, openImageAt } from "../images.js";
import { isQcow2, parseQcow2Header, Qcow2FormatError, qcow2HeaderBytes } from "./qcow2.js";

/** Format of a disk image; always told to QEMU, which would otherwise guess. */
export type DiskFormat = "qcow2" | "raw";

/** One image file that was inspected, still open: this very file is handed to QEMU. */
export interface ImageLayer {
  /** Absolute path inside an image directory that it was opened by. */
  readonly path: string;
  readonly format: DiskFormat;
  readonly file: FileHandle;
}

/** A disk image with the images below it. Disposing of it closes them. */
export interface ImageChain extends AsyncDisposable {
  /** The named image first, its backing files after it. */
  readonly layers: readonly [ImageLayer, ...ImageLayer[]];
  /** Size that the guest sees, in bytes. */
  readonly virtualSizeBytes: bigint;
}

const maxLayers = 8;
const sectorBytes = 512n;

/**
 * Opens and inspects a disk image and everything it refers to, before any tool does. The tool is given what was inspected.
 * @throws {ZorError} INVALID_ARGUMENT when it or a backing file is outside the image directories, encrypted, damaged, of another
 * format, or keeps its data elsewhere; FAILED_PRECONDITION when it is not there.
 */
export async function openChain(directories: readonly string[], name: string, field: string): Promise<ImageChain> {
  await using opened = new AsyncDisposableStack();
  const subject = { field, name };
  const first = opened.use(await openImage(directories, name, { field, accept: ["file"] }));
  const top = await inspectLayer(first, subject);
  const layers: [ImageLayer, ...ImageLayer[]] = [top.layer];
  for (let below = top.backing; below !== undefined; ) {
    if (layers.length >= maxLayers) {
      throw refused(subject, `has more than ${maxLayers - 1} backing files; flatten it with: qemu-img convert`);
    }
    const next = await inspectLayer(opened.use(await openBacking(directories, below, subject)), subject);
    if (next.layer.format !== below.format) {
      throw refused(subject, `has a backing file that is ${next.layer.format}, not ${below.format} as it says`);
    }
    layers.push(next.layer);
    below = next.backing;
  }
  const kept = opened.move();
  return {
    layers,
    virtualSizeBytes: top.virtualSizeBytes,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
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
  { path, file }: OpenImage,
  subject: Subject,
): Promise<{ layer: ImageLayer; virtualSizeBytes: bigint; backing: BackingReference | undefined }> {
  const { start, end, sizeBytes } = await readEnds(file, subject);
  if (sizeBytes === 0n) throw refused(subject, "is empty; its download or copy did not succeed");
  if (!isQcow2(start)) {
    const foreign = findForeignFormat({ start, end });
    if (foreign !== undefined) throw refused(subject, `is ${foreign.is}; ${foreign.remedy}`);
    if (sizeBytes % sectorBytes !== 0n) {
      throw refused(
        subject,
        "is neither qcow2 nor a raw image: its size is not a multiple of 512 bytes, so it may have been cut short",
      );
    }
    return { layer: { path, format: "raw", file }, virtualSizeBytes: sizeBytes, backing: undefined };
  }
  const header = parseHeader(start, subject);
  if (header.encrypted) throw refused(subject, "is encrypted, which is not supported");
  if (header.externalData) throw refused(subject, "keeps its data in another file, which is not supported");
  if (header.corrupt) throw refused(subject, "is marked as damaged; repair it with: qemu-img check -r all");
  const backing = toBackingReference(header, dirname(path), subject);
  return { layer: { path, format: "qcow2", file }, virtualSizeBytes: header.virtualSizeBytes, backing };
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

async function openBacking(
  directories: readonly string[],
  backing: BackingReference,
  subject: Subject,
): Promise<OpenImage> {
  const wanted = isAbsolute(backing.name) ? backing.name : join(backing.directory, backing.name);
  const opened = await openImageAt(directories, wanted, { field: subject.field, accept: ["file"] });
  if (opened !== undefined) return opened;
  // One answer for missing and outside: what exists elsewhere on the host is nobody's business.
  throw refused(subject, "has a backing file that is not inside an image directory of the agent");
}

async function readEnds(
  file: FileHandle,
  subject: Subject,
): Promise<{ start: Buffer; end: Buffer; sizeBytes: bigint }> {
  try {
    const { size } = await file.stat();
    const read = async (position: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, position);
      return buffer.subarray(0, bytesRead);
    };
    const endAt = Math.max(0, Math.ceil((size - qcow2HeaderBytes) / Number(sectorBytes)) * Number(sectorBytes));
    return { start: await read(0), end: await read(endAt), sizeBytes: BigInt(size) };
  } catch (cause) {
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
