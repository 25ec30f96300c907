import { createHash } from "node:crypto";

/** Lengths of chunks in bytes. Most are close to the middle one; only the last of a file may be shorter than the least. */
export const chunkBytes = { least: 256 * 1024, usual: 1024 * 1024, most: 4 * 1024 * 1024 } as const;

/**
 * Two masks (normalized chunking, FastCDC 2016): before the usual length a border is four times rarer than one in a mebibyte, after it
 * four times more frequent, so that lengths gather in the middle. The upper bits of the hash depend on the last 32 bytes.
 */
const [rareMask, frequentMask] = [0xfffffc00 | 0, 0xffffc000 | 0];

/** One number for each byte. All hosts must have the same, for ever: other borders would share no chunks with what is stored. */
const gear = Int32Array.from({ length: 256 }, (_, byte) =>
  createHash("sha256").update(`zorhub gear ${byte}`).digest().readInt32LE(0),
);

/**
 * Where the first chunk of the bytes ends. Borders follow from the content alone: what is inserted into a file changes the chunks around it.
 * @param bytes from a border on; at least {@link chunkBytes}.most of them, unless the file ends before.
 */
export function firstChunkLength(bytes: Uint8Array): number {
  const end = Math.min(bytes.length, chunkBytes.most);
  if (end <= chunkBytes.least) return end;
  const usual = Math.min(end, chunkBytes.usual);
  let hash = 0;
  let at: number = chunkBytes.least;
  for (; at < usual; at += 1) {
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
    if ((hash & rareMask) === 0) return at + 1;
  }
  for (; at < end; at += 1) {
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
    if ((hash & frequentMask) === 0) return at + 1;
  }
  return end;
}
