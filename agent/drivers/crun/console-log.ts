import { watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const newline = 0x0a;
/** Longest entry conmon writes is its 8 KiB buffer and a header; anything longer is not an entry. */
const maxEntryBytes = 64 * 1024;
const readBytes = 64 * 1024;
/** How often the end is looked for when nothing is written. */
const idleMs = 500;

/**
 * Turns conmon's log ("{time} stdout F text\n"; P instead of F: the line goes on) back into the bytes that were written to
 * the terminal.
 */
export class ConsoleLogDecoder {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer {
    const data = Buffer.concat([this.#pending, chunk]);
    const parts: Buffer[] = [];
    let begin = 0;
    for (let end = data.indexOf(newline); end !== -1; end = data.indexOf(newline, begin)) {
      parts.push(decodeEntry(data.subarray(begin, end)));
      begin = end + 1;
    }
    this.#pending = Buffer.from(data.subarray(begin));
    if (this.#pending.length > maxEntryBytes) this.#pending = Buffer.alloc(0);
    return Buffer.concat(parts);
  }
}

function decodeEntry(entry: Buffer): Buffer {
  const header = /^\S+ (?:stdout|stderr) ([FP]) /.exec(entry.toString("latin1", 0, 80));
  if (header === null) return Buffer.alloc(0);
  const text = entry.subarray(header[0].length);
  return header[1] === "F" ? Buffer.concat([text, Buffer.of(newline)]) : text;
}

/** How to read a console's log. */
export interface ConsoleReaderOptions {
  readonly path: string;
  /** Bytes of recent output to keep as {@link ConsoleReader.replay}, at most. */
  readonly replayBytes: number;
  /** Whether nothing more will be written. */
  readonly hasEnded: () => Promise<boolean>;
  /** Ends the reader. */
  readonly signal: AbortSignal;
}

/**
 * Gives a console's output from its log, as it is written from now on, until the console or the signal ends. The log is bounded: when it
 * is full conmon begins a new file under the same name. A reader that is slower than that misses output; it holds nobody up.
 * May be iterated again after a loop was left: it goes on where it was.
 */
export class ConsoleReader implements AsyncIterableIterator<Uint8Array> {
  readonly #options: ConsoleReaderOptions;
  readonly #changes: Changes;
  readonly #log: LogFile;
  #replay: Buffer = Buffer.alloc(0);
  #ended = false;
  #finished = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: ConsoleReaderOptions) {
    this.#options = options;
    this.#changes = new Changes(dirname(options.path));
    this.#log = new LogFile(options.path);
  }

  /** Begins to read: everything written from now on is given. */
  static async open(options: ConsoleReaderOptions): Promise<ConsoleReader> {
    const reader = new ConsoleReader(options);
    for (let data = await reader.#log.read(); data !== undefined; data = await reader.#log.read()) {
      const all = Buffer.concat([reader.#replay, data]);
      reader.#replay = Buffer.from(all.subarray(Math.max(0, all.length - options.replayBytes)));
    }
    options.signal.addEventListener("abort", () => reader.#changes.close(), { once: true });
    return reader;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The last output from before it was opened. */
  get replay(): Buffer {
    return this.#replay;
  }

  /** Calls may overlap, as when a console is closed while it is read: each is answered after the one before. */
  next(): Promise<IteratorResult<Uint8Array>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    const { signal, hasEnded } = this.#options;
    while (!this.#finished && !signal.aborted) {
      const data = await this.#log.read();
      if (data !== undefined && data.length > 0) return { value: data, done: false };
      if (data !== undefined) continue;
      // The end is looked for before the last read, so that nothing written before it is missed.
      if (this.#ended) break;
      this.#ended = await hasEnded();
      if (!this.#ended) await this.#changes.next(signal);
    }
    await this.#finish();
    return { value: undefined, done: true };
  }

  async #finish(): Promise<void> {
    if (this.#finished) return;
    this.#finished = true;
    this.#changes.close();
    await this.#log.close();
  }
}

/** The log, over the change from a full file to a new one. */
class LogFile {
  readonly #path: string;
  #decoder = new ConsoleLogDecoder();
  #file: FileHandle | undefined;
  #position = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The next output, maybe empty; undefined when there is no more for now. */
  async read(): Promise<Buffer | undefined> {
    this.#file ??= await open(this.#path, "r").catch(() => undefined);
    if (this.#file === undefined) return undefined;
    const { bytesRead, buffer } = await this.#file.read(Buffer.alloc(readBytes), 0, readBytes, this.#position);
    if (bytesRead > 0) {
      this.#position += bytesRead;
      return this.#decoder.push(buffer.subarray(0, bytesRead));
    }
    if (!(await this.#isReplaced(this.#file))) return undefined;
    await this.#file.close();
    this.#file = undefined;
    this.#position = 0;
    this.#decoder = new ConsoleLogDecoder();
    return this.read();
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #isReplaced(file: FileHandle): Promise<boolean> {
    const [mine, current] = await Promise.all([file.stat(), stat(this.#path).catch(() => undefined)]);
    return current !== undefined && current.ino !== mine.ino;
  }
}

/** Tells of changes in a directory; several between two questions are one. */
class Changes {
  readonly #watcher;
  #changed = Promise.withResolvers<void>();

  constructor(directory: string) {
    this.#watcher = watch(directory, { persistent: false }, () => this.#changed.resolve());
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
