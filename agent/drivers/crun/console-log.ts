import type { LogPart, LogPosition } from "../../../lib/logs/open-log.js";
import type { FileDecoder } from "../file-log.js";
import { type FileChunk, FileChanges, FileTail } from "../file-tail.js";

const newline = 0x0a;
/** Longest entry conmon writes is its 8 KiB buffer and a header; anything longer is not an entry. */
const maxEntryBytes = 64 * 1024;

/**
 * Turns conmon's log ("{time} stdout F text\n"; P instead of F: the line goes on) back into the bytes that were written to
 * the terminal, with when that was.
 */
export class ConsoleLogDecoder implements FileDecoder {
  #pending: Buffer = Buffer.alloc(0);

  push({ data: chunk, end, isNew }: FileChunk): readonly (LogPart & { readonly end: LogPosition })[] {
    const data = isNew ? chunk : Buffer.concat([this.#pending, chunk]);
    const parts = [];
    let begin = 0;
    for (let at = data.indexOf(newline); at !== -1; at = data.indexOf(newline, begin)) {
      const entry = decodeEntry(data.subarray(begin, at));
      begin = at + 1;
      parts.push({ ...entry, end: { log: end.file, at: end.at - (data.length - begin) } });
    }
    this.#pending = Buffer.from(data.subarray(begin));
    if (this.#pending.length > maxEntryBytes) this.#pending = Buffer.alloc(0);
    return parts;
  }
}

function decodeEntry(entry: Buffer): Pick<LogPart, "data" | "timeMs"> {
  const header = /^(\S+) (?:stdout|stderr) ([FP]) /.exec(entry.toString("latin1", 0, 80));
  if (header === null) return { data: Buffer.alloc(0) };
  const [whole, time = "", kind] = header;
  const text = entry.subarray(whole.length);
  const timeMs = Date.parse(time);
  const data = kind === "F" ? Buffer.concat([text, Buffer.of(newline)]) : text;
  return { data, timeMs: Number.isNaN(timeMs) ? undefined : timeMs };
}

/** Output that is given at most to who goes on. */
const maxResumedBytes = 64 * 1024;
/** Pieces of the file: it is bounded, but may be replaced again and again. */
const maxPastReads = 256;

/** How to read a console's log. */
export interface ConsoleReaderOptions {
  readonly path: string;
  /** Bytes of recent output to keep as {@link ConsoleReader.replay}, at most. */
  readonly replayBytes: number;
  /** The replay is what came after this, where that is known. */
  readonly resume?: LogPosition | undefined;
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
  readonly #changes: FileChanges;
  readonly #tail: FileTail;
  readonly #decoder = new ConsoleLogDecoder();
  #replay: Buffer = Buffer.alloc(0);
  #resumed = false;
  #position: LogPosition | undefined;
  #ended = false;
  #finished = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: ConsoleReaderOptions) {
    this.#options = options;
    this.#changes = new FileChanges(options.path);
    this.#tail = new FileTail(options.path);
  }

  /** Begins to read: everything written from now on is given. Its file is open until it has ended or the signal aborts, read on or not. */
  static async open(options: ConsoleReaderOptions): Promise<ConsoleReader> {
    const reader = new ConsoleReader(options);
    try {
      await reader.#readPast();
    } catch (error) {
      await reader.#finish();
      throw error;
    }
    const { signal } = options;
    // A call after the end only finishes, and waits for the reads before it.
    const end = (): void => void reader.next().catch(() => undefined);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
    return reader;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The last output from before it was opened. */
  get replay(): Buffer {
    return this.#replay;
  }

  /** The replay is what came after the position to go on from. */
  get resumed(): boolean {
    return this.#resumed;
  }

  /** Where what has been read ends. */
  get position(): LogPosition | undefined {
    return this.#position;
  }

  /** Calls may overlap, as when a console is closed while it is read: each is answered after the one before. */
  next(): Promise<IteratorResult<Uint8Array>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #readPast(): Promise<void> {
    const { resume, replayBytes, signal } = this.#options;
    let after = Buffer.alloc(0);
    let past = Buffer.alloc(0);
    // Whoever writes faster than this reads is not caught up with.
    for (let reads = 0; reads < maxPastReads && !signal.aborted; reads += 1) {
      const parts = await this.#read();
      if (parts === undefined) break;
      for (const { data, end } of parts) {
        past = joined(past, data, replayBytes);
        if (resume === undefined || end.log !== resume.log) continue;
        this.#resumed = true;
        if (end.at > resume.at) after = joined(after, data, maxResumedBytes);
      }
    }
    this.#replay = this.#resumed ? after : past;
  }

  /** What was written; undefined when there is no more for now. */
  async #read(): Promise<ReturnType<ConsoleLogDecoder["push"]> | undefined> {
    const chunk = await this.#tail.read();
    if (chunk === undefined) return undefined;
    const parts = this.#decoder.push(chunk);
    this.#position = parts.at(-1)?.end ?? this.#position;
    return parts;
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    const { signal, hasEnded } = this.#options;
    while (!this.#finished && !signal.aborted) {
      const parts = await this.#read();
      const data = Buffer.concat((parts ?? []).map((part) => part.data));
      if (data.length > 0) return { value: data, done: false };
      if (parts !== undefined) continue;
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
    await this.#tail.close();
  }
}

function joined(before: Buffer<ArrayBuffer>, data: Uint8Array, most: number): Buffer<ArrayBuffer> {
  const all = Buffer.concat([before, data]);
  return Buffer.from(all.subarray(Math.max(0, all.length - most)));
}
