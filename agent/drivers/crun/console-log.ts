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
export interface FollowOptions {
  readonly path: string;
  /** Bytes of recent output to give first. */
  readonly replayBytes: number;
  /** Whether nothing more will be written. */
  readonly hasEnded: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

/**
 * Gives a console's output from its log, as it is written, until the console or the signal ends. The log is bounded: when it
 * is full conmon begins a new file under the same name. A reader that is slower than that misses output; it holds nobody up.
 */
export async function* followConsoleLog(options: FollowOptions): AsyncGenerator<Uint8Array> {
  const { signal } = options;
  const changes = new Changes(dirname(options.path));
  await using log = new LogFile(options.path);
  try {
    const recent = await readRecent(log, options.replayBytes);
    if (recent.length > 0) yield recent;
    for (;;) {
      const ended = await options.hasEnded();
      for (let data = await log.read(); data !== undefined; data = await log.read()) {
        if (data.length > 0) yield data;
        if (signal.aborted) return;
      }
      if (ended || signal.aborted) return;
      await changes.next(signal);
    }
  } finally {
    changes.close();
  }
}

async function readRecent(log: LogFile, replayBytes: number): Promise<Buffer> {
  let recent = Buffer.alloc(0);
  for (let data = await log.read(); data !== undefined; data = await log.read()) {
    recent = Buffer.concat([recent, data]);
    if (recent.length > replayBytes) recent = Buffer.from(recent.subarray(recent.length - replayBytes));
  }
  return recent;
}

/** The log, over the change from a full file to a new one. */
class LogFile implements AsyncDisposable {
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

  async [Symbol.asyncDispose](): Promise<void> {
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
