import { randomBytes } from "node:crypto";
import { appendFile, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { History, type HistoryBounds, type Piece } from "./history.js";

/** First line of a file; its log follows. What has no such line is of an agent up to 0.1, and plain output. */
const mark = "zor-console 1 ";
const maxFirstLineBytes = 64;
/** Of a piece: when it came (8 bytes), where it is (8), and how long (4). */
const headBytes = 20;

/** A name for new output. */
export function newLog(): string {
  return randomBytes(8).toString("hex");
}

/** What a file holds; a damaged end is left out. A file that is not there is an empty one. */
export async function readHistory(path: string, bounds: HistoryBounds): Promise<History> {
  const content = await readFile(path).catch(() => Buffer.alloc(0));
  const lineEnd = content.subarray(0, maxFirstLineBytes).indexOf(0x0a);
  const line = content.toString("latin1", 0, Math.max(0, lineEnd));
  const [, log] = /^zor-console 1 ([0-9a-f]{16})$/.exec(line) ?? [];
  if (log === undefined) {
    const history = new History(newLog(), bounds);
    const written = content.length === 0 ? undefined : await stat(path).catch(() => undefined);
    if (content.length > 0) history.append(content, written?.mtimeMs ?? Date.now());
    return history;
  }
  const history = new History(log, bounds);
  for (let at = lineEnd + 1; at + headBytes <= content.length; ) {
    const timeMs = content.readDoubleLE(at);
    const place = Number(content.readBigUInt64LE(at + 8));
    const length = content.readUInt32LE(at + 16);
    const data = content.subarray(at + headBytes, at + headBytes + length);
    if (data.length < length || !Number.isFinite(timeMs) || !Number.isSafeInteger(place)) break;
    history.take({ at: place, timeMs, data });
    at += headBytes + length;
  }
  return history;
}

function toRecords(pieces: readonly Piece[]): Buffer {
  return Buffer.concat(
    pieces.flatMap(({ at, timeMs, data }) => {
      const head = Buffer.alloc(headBytes);
      head.writeDoubleLE(timeMs, 0);
      head.writeBigUInt64LE(BigInt(at), 8);
      head.writeUInt32LE(data.length, 16);
      return [head, data];
    }),
  );
}

/** Output is written together that comes within so many milliseconds. */
const gatherMs = 50;
/** A file is begun anew, with what is kept, when it is larger than so many times that. */
const growth = 4;

/** Writes a history to its file, which is bounded, and so outlives whoever keeps it. One that cannot be written is a loss of history alone. */
export class HistoryFile {
  readonly #path: string;
  readonly #history: History;
  readonly #keptBytes: number;
  /** How far it is written. */
  #at: number;
  /** 0: it is written anew. */
  #fileBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, history: History, keptBytes: number) {
    this.#path = path;
    this.#history = history;
    this.#keptBytes = keptBytes;
    this.#at = history.end;
  }

  /** There is more. */
  changed(): void {
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs);
  }

  /** Resolves when all output so far is in the file, or cannot be. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** Begins with an empty file. */
  async clear(): Promise<void> {
    await this.#writing;
    this.#fileBytes = 0;
    await rm(this.#path, { force: true });
  }

  async #write(): Promise<void> {
    const { log, end } = this.#history;
    const from = Math.max(end - this.#keptBytes, this.#history.begin);
    try {
      const pieces = this.#history.from(this.#at);
      const isWhole = this.#at >= this.#history.begin && end - this.#at <= this.#keptBytes;
      if (this.#fileBytes === 0 || !isWhole || this.#fileBytes > growth * this.#keptBytes) {
        const content = Buffer.concat([Buffer.from(`${mark}${log}\n`), toRecords(this.#history.from(from))]);
        await writeFile(`${this.#path}.new`, content, { mode: 0o600 });
        await rename(`${this.#path}.new`, this.#path);
        this.#fileBytes = content.length;
      } else if (pieces.length > 0) {
        const content = toRecords(pieces);
        await appendFile(this.#path, content, { mode: 0o600 });
        this.#fileBytes += content.length;
      }
      this.#at = end;
    } catch {
      // A full disk must not end a console. What is there may be cut off: it is written anew.
      this.#fileBytes = 0;
      this.#at = end;
    }
  }
}
