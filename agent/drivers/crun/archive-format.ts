import { findForeignFormat } from "../foreign-format.js";

/** How an archive is compressed, told from its content: names lie. */
export interface Compression {
  /** Option that makes GNU tar unpack it; none for a plain archive. */
  readonly option: string | undefined;
}

/** Bytes of the beginning of a file that {@link findCompression} needs. */
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
 * Recognises a tar archive by its beginning; pure.
 * @returns how it is compressed, or what it is instead, which completes "the image …".
 */
export function findCompression(start: Buffer): Compression | { readonly instead: string } {
  if (start.length === 0) return { instead: "is empty; its download or copy did not succeed" };
  const found = compressions.find(({ magic }) => start.subarray(0, magic.length).equals(Buffer.from(magic)));
  if (found !== undefined) return { option: found.option };
  if (isTarHeader(start)) return { option: undefined };
  const foreign = findForeignFormat({ start, end: Buffer.alloc(0) });
  const is = foreign === undefined ? "is neither a directory nor a tar archive" : `is ${foreign.is}, not a tar archive`;
  return { instead: `${is}; use a directory or a tar archive, plain or compressed with gzip, bzip2, xz or zstd` };
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
