import { readFile } from "node:fs/promises";
import { writeFileAtomic } from "../../lib/files.js";
import type { StoredChunk } from "./content-scan.js";

const digestBytes = 32;
const entryBytes = digestBytes + 4;

/** Writes the chunks of a file beside it, 36 bytes each: digest and length. */
export async function writeChunkIndex(path: string, chunks: readonly StoredChunk[]): Promise<void> {
  const bytes = Buffer.alloc(chunks.length * entryBytes);
  for (const [index, { sha256, length }] of chunks.entries()) {
    bytes.write(sha256, index * entryBytes, "hex");
    bytes.writeUInt32LE(length, index * entryBytes + digestBytes);
  }
  await writeFileAtomic(path, bytes);
}

/** Reads what {@link writeChunkIndex} wrote; undefined when it is not there or not whole. */
export async function readChunkIndex(path: string): Promise<readonly StoredChunk[] | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined || bytes.length % entryBytes !== 0) return undefined;
  return Array.from({ length: bytes.length / entryBytes }, (_, index) => ({
    sha256: bytes.toString("hex", index * entryBytes, index * entryBytes + digestBytes),
    length: bytes.readUInt32LE(index * entryBytes + digestBytes),
  }));
}
