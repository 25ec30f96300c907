import { closeSync, openSync, readSync } from "node:fs";

/** No file of the kernel that is read here is longer, but for tables of devices. */
const smallBytes = 4096;
const buffer = Buffer.allocUnsafe(2 ** 20);

/**
 * A file of the kernel that is read again and again: it is opened once. Reading waits for nothing: such files are made of memory
 * while they are read.
 */
export class KeptFile implements Disposable {
  readonly path: string;
  #descriptor: number | undefined;
  /** What it said when it was looked at last. */
  #before: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.path = path;
  }

  /** What it says now; undefined: there is no such file, or what it speaks of has gone. */
  read(): string | undefined {
    try {
      this.#descriptor ??= openSync(this.path, "r");
      return buffer.toString("latin1", 0, readSync(this.#descriptor, buffer, 0, buffer.length, 0));
    } catch {
      this[Symbol.dispose]();
      return undefined;
    }
  }

  /** What it says now, when that is not what it said before: then "". Undefined: as {@link read}. */
  readNews(): string | undefined {
    try {
      this.#descriptor ??= openSync(this.path, "r");
      const length = readSync(this.#descriptor, buffer, 0, smallBytes, 0);
      // Of a thousand files most say the same: no text is made of those.
      if (length === this.#before.length && buffer.compare(this.#before, 0, length, 0, length) === 0) return "";
      this.#before = Buffer.from(buffer.subarray(0, length));
      return this.#before.toString("latin1");
    } catch {
      this[Symbol.dispose]();
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** What a file of the kernel says now, without keeping it open; longer ones than a page are read to their end. */
export function readOnce(path: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    let length = 0;
    for (;;) {
      const more = readSync(descriptor, buffer, length, buffer.length - length, null);
      length += more;
      if (more === 0 || length === buffer.length) return buffer.toString("latin1", 0, length);
    }
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** The number behind a word at the beginning of a line, as in "usage_usec 1234". */
export function numberAfter(text: string, word: string): number | undefined {
  const at = text.startsWith(`${word} `) ? 0 : text.indexOf(`\n${word} `) + 1;
  if (at === 0 && !text.startsWith(`${word} `)) return undefined;
  const value = Number.parseInt(text.slice(at + word.length + 1, at + word.length + 24), 10);
  return Number.isNaN(value) ? undefined : value;
}

/** How long something waited. */
export interface Pressure {
  /** Share of the last 10 s in which something did, in thousandths. */
  readonly share: number;
  /** Milliseconds in which something did, in all. */
  readonly totalMs: number;
}

/** What a file of pressure says; undefined: there is none. */
export function pressureOf(text: string | undefined): Pressure | undefined {
  const match = /^some avg10=(\d{1,3}\.\d\d) [^\n]*total=(\d{1,18})/.exec(text ?? "");
  return match === null ? undefined : { share: Number(match[1]) * 10, totalMs: Math.floor(Number(match[2]) / 1000) };
}
