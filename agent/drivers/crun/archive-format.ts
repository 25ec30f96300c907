import { findForeignFormat } from "../foreign-format.js";

/** What an archive is, told from its content: names lie. */
export type ArchiveFormat =
  /** `option` makes GNU tar unpack it; none for a plain archive. */
  { readonly kind: "tar"; readonly option: string | undefined } | { readonly kind: "zip" };

/** Bytes of the beginning of a file that {@link findArchiveFormat} needs. */
export const archiveStartBytes = 40 * 1024;

const compressions: readonly { readonly magic: readonly number[]; readonly option: string }[] = [
  { magic: [0x1f, 0x8b], option: "--gzip" },
  { magic: [0x42, 0x5a, 0x68], option: "--bzip2" },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], option: "--xz" },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], option: "--zstd" },
];
const tarBlockBytes = 512;
const [checksumOffset, checksumBytes] = [148, 8];

/**
 * Recognises an archive by its beginning; pure.
 * @returns what it is, or what it is instead of one, which completes "the image …".
 */
export function findArchiveFormat(start: Buffer): ArchiveFormat | { readonly instead: string } {
  if (start.length === 0) return { instead: "is empty; its download or copy did not succeed" };
  const found = compressions.find(({ magic }) => start.subarray(0, magic.length).equals(Buffer.from(magic)));
  if (found !== undefined) return { kind: "tar", option: found.option };
  if (isTarHeader(start)) return { kind: "tar", option: undefined };
  // An empty one is told as what it is, below.
  if (start.toString("latin1", 0, 4) === "PK\x03\x04") return { kind: "zip" };
  const foreign = findForeignFormat({ start, end: Buffer.alloc(0) });
  const is =
    foreign === undefined ? "is neither a directory nor an archive" : `is ${foreign.is}, not a root filesystem`;
  return {
    instead: `${is}; use a directory, a zip archive, a tar archive, plain or compressed with gzip, bzip2, xz or zstd, an archive of docker save, or an OCI layout`,
  };
}

/** Whether a block is a tar header: its checksum is right, which even archives without the word "ustar" have (POSIX pax, "ustar"). */
function isTarHeader(start: Buffer): boolean {
  if (start.length < tarBlockBytes) return false;
  const block = start.subarray(0, tarBlockBytes);
  const written = Number.parseInt(block.toString("latin1", checksumOffset, checksumOffset + checksumBytes).trim(), 8);
  let sum = 0;
  block.forEach((byte, index) => {
    const isChecksum = index >= checksumOffset && index < checksumOffset + checksumBytes;
    sum += isChecksum ? 0x20 : byte;
  });
  return sum === written;
}
