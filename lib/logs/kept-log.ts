import { closeSync, fstatSync, mkdirSync, openSync, renameSync, type Stats, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { AsyncQueue } from "../async-queue.js";
import { resourceExhausted } from "../errors.js";
import { LineSplitter } from "../line-splitter.js";
import { standardError } from "../log.js";
import { type LogPart, type LogPosition, nothingMore, type OpenLog } from "./open-log.js";

const maxFileBytes = 4 * 1024 * 1024;
/** Lines that a reader may leave unread before it is cut off. */
const maxUnread = 4096;
const maxLineBytes = 1024 * 1024;
const readBytes = 64 * 1024;

/**
 * The log of a program, kept in two files of bounded size besides going to standard error, so that it can be read through the API, and
 * from before the program was started as well. A file that cannot be written is a loss of that alone.
 */
export class KeptLog {
  readonly #path: string;
  readonly #readers = new Set<AsyncQueue<LogPart>>();
  #fd: number | undefined;
  #position: LogPosition = { log: "none", at: 0 };

  /** @param directory made when it is not there. @param program what the files are called by. */
  constructor(directory: string, program: string) {
    this.#path = join(directory, `${program}.log`);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      this.#begin();
    } catch {
      // It cannot be kept.
    }
  }

  /** Takes a line as pino gives it, with its end. */
  write(line: string): void {
    standardError.write(line);
    const data = Buffer.from(line);
    this.#keep(data);
    const part: LogPart = { data, timeMs: timeOf(line), end: this.#position };
    for (const reader of this.#readers) {
      if (reader.push(part)) continue;
      reader.fail(resourceExhausted("LOG_READER_TOO_SLOW", "the log was read too slowly; read it again", ""));
      this.#readers.delete(reader);
    }
  }

  /** Opens it for reading. */
  async open({
    follow,
    resume,
  }: {
    readonly follow: boolean;
    readonly resume: LogPosition | undefined;
  }): Promise<OpenLog> {
    const reader = new AsyncQueue<LogPart>(maxUnread);
    // Before the files are read, at the same moment: what comes meanwhile is in the queue and nowhere else.
    const until = this.#position;
    if (follow) this.#readers.add(reader);
    const files = await this.#read(until);
    const begin = resume === undefined ? -1 : files.findIndex(({ log }) => log === resume.log);
    const past = files.slice(Math.max(0, begin)).flatMap(({ parts }) => parts);
    return {
      past: begin === -1 ? past : past.filter(({ end }) => end.log !== resume?.log || end.at > resume.at),
      resumed: begin !== -1,
      live: follow ? reader : nothingMore,
      close: async () => {
        this.#readers.delete(reader);
        reader.end();
      },
    };
  }

  #begin(): void {
    this.#fd = openSync(this.#path, "a", 0o600);
    const found = fstatSync(this.#fd);
    this.#position = { log: nameOf(found), at: found.size };
  }

  #keep(data: Buffer): void {
    if (this.#fd === undefined) return;
    try {
      if (this.#position.at + data.length > maxFileBytes) {
        closeSync(this.#fd);
        this.#fd = undefined;
        renameSync(this.#path, `${this.#path}.1`);
        this.#begin();
      }
      const written = this.#fd === undefined ? 0 : writeSync(this.#fd, data);
      this.#position = { ...this.#position, at: this.#position.at + written };
    } catch {
      // A full disk must not end a program.
    }
  }

  /** The lines of both files, the older one first, up to a position. */
  async #read(until: LogPosition): Promise<readonly KeptFile[]> {
    const files: KeptFile[] = [];
    for (const path of [`${this.#path}.1`, this.#path]) {
      const file = await open(path, "r").catch(() => undefined);
      if (file === undefined) continue;
      try {
        const log = nameOf(await file.stat());
        // Renamed in between, it has been read already; a newer one is in the queue.
        if (files.some((other) => other.log === log)) continue;
        const isLast = log === until.log;
        const parts = await readLines(file, log, isLast ? until.at : maxFileBytes);
        files.push({ log, parts });
        if (isLast) break;
      } finally {
        await file.close();
      }
    }
    return files;
  }
}

interface KeptFile {
  readonly log: string;
  readonly parts: readonly KeptLine[];
}

type KeptLine = LogPart & { readonly end: LogPosition };

async function readLines(file: FileHandle, log: string, end: number): Promise<readonly KeptLine[]> {
  const lines: KeptLine[] = [];
  const splitter = new LineSplitter(maxLineBytes);
  let at = 0;
  for (let read = 0; read < end; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(readBytes), 0, Math.min(readBytes, end - read), read);
    if (bytesRead === 0) break;
    read += bytesRead;
    for (const line of splitter.push(buffer.subarray(0, bytesRead))) {
      at += line.length + 1;
      const data = Buffer.concat([line, Buffer.of(0x0a)]);
      lines.push({ data, timeMs: timeOf(data.toString("latin1", 0, 256)), end: { log, at } });
    }
  }
  return lines;
}

/** Inodes are used again: that it was made at that time tells a file from others. */
function nameOf({ ino, birthtimeMs }: Pick<Stats, "ino" | "birthtimeMs">): string {
  return `${ino}-${Math.trunc(birthtimeMs)}`;
}

/** When a line of pino was written. */
function timeOf(line: string): number | undefined {
  const [, time] = /"time":(\d{10,16})[,}]/.exec(line) ?? [];
  return time === undefined ? undefined : Number(time);
}
