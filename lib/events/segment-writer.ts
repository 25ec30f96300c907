import { closeSync, fdatasync, ftruncateSync, openSync, writeSync } from "node:fs";
import { promisify } from "node:util";

/** Writes some bytes at the end of a file; returns how many. Tests have one of their own. */
export type WriteBytes = (fd: number, data: Buffer) => number;

const syncData = promisify(fdatasync);
/** What was written is on the disk so much later, whatever happens to the machine. */
const syncDelayMs = 100;

/** The end of a segment. What was appended outlives this program at once, and the machine within a moment. */
export class SegmentWriter {
  readonly #fd: number;
  readonly #write: WriteBytes;
  #bytes: number;
  #syncing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param bytes whole records have so many: what follows them is cut off. */
  constructor(path: string, bytes: number, write: WriteBytes = writeSync) {
    this.#fd = openSync(path, "a", 0o600);
    this.#write = write;
    this.#bytes = bytes;
    ftruncateSync(this.#fd, bytes);
  }

  /** Appends all of it or nothing. @throws {Error} such as ENOSPC. */
  append(data: Buffer): void {
    try {
      for (let at = 0; at < data.length; ) {
        const written = this.#write(this.#fd, data.subarray(at));
        if (written === 0) throw new Error("nothing could be written");
        at += written;
      }
    } catch (error) {
      ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
    this.#bytes += data.length;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.sync();
    }, syncDelayMs).unref();
  }

  /** Resolves when what was appended is on the disk, or cannot be brought there. */
  async sync(): Promise<void> {
    await this.#syncing;
    this.#syncing = syncData(this.#fd).catch(() => undefined);
    await this.#syncing;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.sync();
    closeSync(this.#fd);
  }
}
