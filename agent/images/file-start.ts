import type { FileHandle } from "node:fs/promises";
import type { FileEnds } from "../drivers/foreign-format.js";

/** Bytes of each end of a file that tell what it is; a multiple of 512. */
const endBytes = 64 * 1024;

/** Both ends of a file, and its size. */
export interface LookedAt extends FileEnds {
  readonly sizeBytes: number;
}

/** Reads both ends of a file. */
export async function lookAt(file: FileHandle): Promise<LookedAt> {
  const { size } = await file.stat();
  const endAt = Math.max(0, Math.ceil((size - endBytes) / 512) * 512);
  return { start: await readAt(file, 0, endBytes), end: await readAt(file, endAt, endBytes), sizeBytes: size };
}

/** As many bytes as there are, at most `length`. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
