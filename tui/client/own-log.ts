import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { LogPiece } from "../../proto/gen/zor/v1/log.js";

/** Of what is there so much is read first. */
const firstBytes = 256 * 1024;
const chunkBytes = 64 * 1024;
const everyMs = 500;

/** A file as it grows, until the signal aborts; one that is set aside is left for the one that has its name then. */
export async function* followFile(path: string, signal: AbortSignal): AsyncGenerator<Pick<LogPiece, "data" | "time">> {
  let at: number | undefined;
  let inode: number | undefined;
  while (!signal.aborted) {
    await using file = await open(path, "r");
    const { size, ino } = await file.stat();
    // Another file has the name, or it was emptied: it begins anew.
    if (ino !== inode || size < (at ?? 0)) at = inode === undefined ? Math.max(0, size - firstBytes) : 0;
    inode = ino;
    for (let read = -1; read !== 0 && !signal.aborted; ) {
      const buffer = Buffer.alloc(chunkBytes);
      read = (await file.read(buffer, 0, chunkBytes, at ?? 0)).bytesRead;
      at = (at ?? 0) + read;
      if (read > 0) yield { data: buffer.subarray(0, read), time: undefined };
    }
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
