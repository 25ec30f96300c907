import { findArchiveFormat } from "../drivers/crun/archive-format.js";
import { findForeignFormat } from "../drivers/foreign-format.js";
import { isQcow2, parseQcow2Header, Qcow2FormatError } from "../drivers/qemu/qcow2.js";
import type { LookedAt } from "./file-start.js";

/** A format that instances can be made from as it is. */
export type ImageFormat = "qcow2" | "raw" | "iso" | "tar" | "oci" | "kernel" | "initrd";

/** What a file is. */
export interface ImageContent {
  readonly format: ImageFormat;
  /** 0: no disk. */
  readonly virtualSizeBytes: number;
  /** "" where it cannot be seen. */
  readonly architecture: string;
}

/** A format that images are brought in and then made another of. */
export type ForeignDisk = "vmdk" | "vdi" | "vhdx" | "vpc";
export type Packing = "gzip" | "xz" | "zstd" | "bzip2" | "zip";

/** What a file is taken for by its first bytes. */
export type Recognised =
  | { readonly is: "content"; readonly content: ImageContent }
  | { readonly is: "disk"; readonly format: ForeignDisk }
  | { readonly is: "packed"; readonly by: Packing }
  /** Completes "the image …". */
  | { readonly is: "refused"; readonly why: string };

const packings: readonly (readonly [Packing, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
];
const disks: readonly (readonly [ForeignDisk, number, readonly number[]])[] = [
  ["vmdk", 0, [0x4b, 0x44, 0x4d, 0x56]],
  ["vdi", 0x40, [0x7f, 0x10, 0xda, 0xbe]],
  ["vhdx", 0, [...Buffer.from("vhdxfile")]],
  ["vpc", 0, [...Buffer.from("conectix")]],
];

/** Recognises a file by its ends, before any tool opens it; pure. What refers to other files is refused. */
export function recognise({ start, end, sizeBytes }: LookedAt): Recognised {
  if (sizeBytes === 0) return refused("is empty; its download or copy did not succeed");
  if (isQcow2(start)) return recogniseQcow2(start);
  const packed = packings.find(([, magic]) => has(start, 0, magic));
  if (packed !== undefined) return { is: "packed", by: packed[0] };
  const disk = disks.find(([, offset, magic]) => has(start, offset, magic));
  if (disk !== undefined) return { is: "disk", format: disk[0] };
  const plain = recognisePlain(start, sizeBytes);
  if (plain !== undefined) return { is: "content", content: plain };
  const foreign = findForeignFormat({ start, end });
  if (foreign?.is === "a VHD image of fixed size") return { is: "disk", format: "vpc" };
  if (foreign !== undefined) return refused(`is ${foreign.is}; ${foreign.remedy}`);
  if (sizeBytes % 512 !== 0) {
    return refused(
      "is of no known format, nor a raw disk: its size is not a multiple of 512 bytes, so it may have been cut short",
    );
  }
  return { is: "content", content: { format: "raw", virtualSizeBytes: sizeBytes, architecture: "" } };
}

function recogniseQcow2(start: Buffer): Recognised {
  try {
    const header = parseQcow2Header(start);
    if (header.encrypted) return refused("is encrypted, which is not supported");
    if (header.externalData)
      return refused("keeps its data in another file; convert it with: qemu-img convert -O qcow2");
    if (header.backingFile !== undefined) {
      return refused("has a backing file, which does not come along; flatten it with: qemu-img convert -O qcow2");
    }
    if (header.corrupt) return refused("is marked as damaged; repair it with: qemu-img check -r all");
    const virtualSizeBytes = Number(header.virtualSizeBytes);
    return { is: "content", content: { format: "qcow2", virtualSizeBytes, architecture: "" } };
  } catch (error) {
    if (error instanceof Qcow2FormatError) return refused(error.message);
    throw error;
  }
}

function recognisePlain(start: Buffer, sizeBytes: number): ImageContent | undefined {
  // Linux boot protocol (Documentation/arch/x86/boot.rst) and Documentation/arch/arm64/booting.rst.
  if (has(start, 0x202, [...Buffer.from("HdrS")])) return of("kernel", 0, "amd64");
  if (has(start, 56, [...Buffer.from("ARM\x64")])) return of("kernel", 0, "arm64");
  if (/^0707(01|02|07)/.test(start.toString("latin1", 0, 6))) return of("initrd");
  if ([0x8001, 0x8801, 0x9001].some((offset) => has(start, offset, [...Buffer.from("CD001")])))
    return of("iso", sizeBytes);
  const archive = findArchiveFormat(start);
  const isPlainTar = "kind" in archive && archive.kind === "tar" && archive.option === undefined;
  return isPlainTar ? of("tar") : undefined;
}

function of(format: ImageFormat, virtualSizeBytes = 0, architecture = ""): ImageContent {
  return { format, virtualSizeBytes, architecture };
}

function has(start: Buffer, offset: number, magic: readonly number[]): boolean {
  return start.subarray(offset, offset + magic.length).equals(Buffer.from(magic));
}

function refused(why: string): Recognised {
  return { is: "refused", why };
}
