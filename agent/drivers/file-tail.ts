import { watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const readBytes = 64 * 1024;
/** How often the end is looked for when nothing is told. */
const idleMs = 500;

/** A place in a file that may be replaced, or begun anew, by whoever writes it. */
export interface FilePlace {
  /** Which file. */
  readonly file: string;
  readonly at: number;
}

/** What was read of a file. */
export interface FileChunk {
  readonly data: Buffer;
  /** Where it ends. */
  readonly end: FilePlace;
  /** What came before it is of another file, or was cut off. */
  readonly isNew: boolean;
}

/** Reads a file that somebody else appends to, replaces when it is full, or cuts off. */
export class FileTail {
  readonly #path: string;
  #file: FileHandle | undefined;
  #name = "";
  #at = 0;
  #isNew = true;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** The next that was written; undefined when there is no more for now, and once it is closed. */
  async read(): Promise<FileChunk | undefined> {
    const file = this.#file ?? (await this.#open());
    if (file === undefined) return undefined;
    const { bytesRead, buffer } = await file.read(Buffer.alloc(readBytes), 0, readBytes, this.#at);
    if (bytesRead > 0) {
      this.#at += bytesRead;
      const isNew = this.#isNew;
      this.#isNew = false;
      return { data: buffer.subarray(0, bytesRead), end: { file: this.#name, at: this.#at }, isNew };
    }
    const mine = await file.stat();
    const current = await stat(this.#path).catch(() => undefined);
    if (current !== undefined && current.ino !== mine.ino) {
      this.#file = undefined;
      await file.close();
    } else if (mine.size >= this.#at) return undefined;
    this.#at = 0;
    this.#isNew = true;
    return this.read();
  }

  async #open(): Promise<FileHandle | undefined> {
    if (this.#closed) return undefined;
    const file = await open(this.#path, "r").catch(() => undefined);
    if (file === undefined) return undefined;
    if (this.#closed) {
      await file.close();
      return undefined;
    }
    this.#file = file;
    const { ino, birthtimeMs } = await file.stat();
    this.#name = `${ino}-${Math.trunc(birthtimeMs)}`;
    return file;
  }

  /** Also while it is read, which then fails or finds no more. */
  async close(): Promise<void> {
    this.#closed = true;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** Tells of changes to a file; several between two questions are one. */
export class FileChanges {
  readonly #watcher;
  #changed = Promise.withResolvers<void>();

  constructor(path: string) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), { persistent: false }, (_, changed) => {
      if (changed === null || changed === name) this.#changed.resolve();
    });
    // A watcher that fails leaves the look every half second.
    this.#watcher.on("error", () => undefined);
  }

  async next(signal: AbortSignal): Promise<void> {
    const idle = new AbortController();
    const either = AbortSignal.any([signal, idle.signal]);
    await Promise.race([this.#changed.promise, delay(idleMs, undefined, { signal: either }).catch(() => undefined)]);
    idle.abort();
    this.#changed = Promise.withResolvers<void>();
  }

  close(): void {
    this.#watcher.close();
  }
}
