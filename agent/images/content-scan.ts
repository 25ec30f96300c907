import { createHash, hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { chunkBytes, firstChunkLength } from "./chunker.js";

/** One chunk of a file. */
export interface StoredChunk {
  /** SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string;
  readonly length: number;
}

/** All that is known of a file's content. */
export interface ScannedContent {
  /** SHA-256 of the whole, in hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly chunks: readonly StoredChunk[];
}

/** How a file is read. */
export interface ScanOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (doneBytes: number) => void;
}

const windowBytes = 4 * chunkBytes.most;

/** Reads a file once, for its digest and its chunks. A turn of the loop is given to others after each chunk. */
export async function scanContent(file: FileHandle, { signal, onProgress }: ScanOptions): Promise<ScannedContent> {
  const window = Buffer.allocUnsafe(windowBytes);
  const whole = createHash("sha256");
  const chunks: StoredChunk[] = [];
  let [from, to, position] = [0, 0, 0];
  let isEnd = false;
  for (;;) {
    signal.throwIfAborted();
    if (to - from < chunkBytes.most && !isEnd) {
      window.copy(window, 0, from, to);
      [from, to] = [0, to - from];
      while (to < windowBytes && !isEnd) {
        const { bytesRead } = await file.read(window, to, windowBytes - to, position);
        position += bytesRead;
        to += bytesRead;
        isEnd = bytesRead === 0;
      }
    }
    if (from === to) break;
    const length = firstChunkLength(window.subarray(from, to));
    const bytes = window.subarray(from, from + length);
    whole.update(bytes);
    chunks.push({ sha256: hash("sha256", bytes, "hex"), length });
    from += length;
    onProgress?.(position - (to - from));
    await nextTurn();
  }
  return { sha256: whole.digest("hex"), sizeBytes: position, chunks };
}
