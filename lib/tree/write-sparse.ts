import type { FileHandle } from "node:fs/promises";

const zeros = Buffer.alloc(65_536);

/**
 * Writes all of `data` at `position` of a file that ends there, and leaves pieces of nothing but zeros out, so that the file gets its holes back. It ends
 * where it was written to last: set its size when everything has come.
 */
export async function writeSparse(file: Pick<FileHandle, "write">, data: Buffer, position: number): Promise<void> {
  for (let from = 0; from < data.length; ) {
    const piece = data.subarray(from, from + zeros.length - ((position + from) % zeros.length));
    if (!piece.equals(zeros.subarray(0, piece.length))) await writeAll(file, piece, position + from);
    from += piece.length;
  }
}

/** A disk that gets full takes a part and says what is wrong only when it is asked again. */
async function writeAll(file: Pick<FileHandle, "write">, data: Buffer, position: number): Promise<void> {
  for (let from = 0; from < data.length; ) {
    from += (await file.write(data, from, data.length - from, position + from)).bytesWritten;
  }
}
