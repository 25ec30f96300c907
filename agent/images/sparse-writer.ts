import type { FileHandle } from "node:fs/promises";

/** As most file systems have them. */
const blockBytes = 4096;
const zeros = Buffer.alloc(blockBytes);

/** Writes bytes at a place, but leaves holes where blocks of them are all zero; the file there must be new. */
export async function writeSparse(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let from = 0;
  const flush = async (to: number): Promise<void> => {
    if (to > from) await writeWhole(file, bytes.subarray(from, to), position + from);
  };
  for (let at = 0; at < bytes.length; ) {
    // Blocks of the file, not of what happens to come in one piece.
    const length = Math.min(blockBytes - ((position + at) % blockBytes), bytes.length - at);
    const isHole = length === blockBytes && bytes.subarray(at, at + length).equals(zeros);
    if (isHole) {
      await flush(at);
      from = at + length;
    }
    at += length;
  }
  await flush(bytes.length);
}

/** write(2) may take less than it is given, as on a disk that fills. */
async function writeWhole(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
