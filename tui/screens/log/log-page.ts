import type { Line } from "../../kit/text/segment.js";
import type { LogEntry } from "./log-buffer.js";

/** Where a page begins: a line of a log, and how many of the lines that it takes are above. */
interface Place {
  readonly number: number;
  readonly part: number;
}

/**
 * The part of a log that is on the screen: its end, or a place that stays wherever lines come and go. Only what is on the screen is
 * made into lines.
 */
export class LogPage {
  /** Undefined: the end. */
  #place: Place | undefined;
  #height = 1;

  get isAtEnd(): boolean {
    return this.#place === undefined;
  }

  toEnd(): void {
    this.#place = undefined;
  }

  /** Stays where it is, whatever comes. */
  hold(entries: readonly LogEntry[], linesOf: (entry: LogEntry) => readonly Line[]): void {
    this.#place ??= this.#placeOfEnd(entries, linesOf);
  }

  page(by: number, entries: readonly LogEntry[], linesOf: (entry: LogEntry) => readonly Line[]): void {
    this.move(by * Math.max(1, this.#height - 1), entries, linesOf);
  }

  /** Moves by lines of the screen; the end follows what comes. */
  move(by: number, entries: readonly LogEntry[], linesOf: (entry: LogEntry) => readonly Line[]): void {
    if (by === Number.POSITIVE_INFINITY) {
      this.toEnd();
      return;
    }
    if (by === Number.NEGATIVE_INFINITY) {
      this.#place = { number: entries[0]?.number ?? 0, part: 0 };
      return;
    }
    const from = this.#place ?? this.#placeOfEnd(entries, linesOf);
    let index = indexOf(entries, from.number);
    let part = from.part + by;
    while (part < 0 && index > 0) {
      index -= 1;
      part += lengthOf(entries[index], linesOf);
    }
    for (let length = lengthOf(entries[index], linesOf); part >= length && index < entries.length - 1; ) {
      part -= length;
      index += 1;
      length = lengthOf(entries[index], linesOf);
    }
    this.#place = { number: entries[index]?.number ?? 0, part: Math.max(0, part) };
    const end = this.#placeOfEnd(entries, linesOf);
    if (by > 0 && isBehind(entries, this.#place, end)) this.toEnd();
  }

  /** The lines of the screen, and the place of the first of them among the entries. */
  window(
    height: number,
    entries: readonly LogEntry[],
    linesOf: (entry: LogEntry) => readonly Line[],
  ): { readonly lines: readonly Line[]; readonly top: number; readonly shown: number } {
    this.#height = height;
    const from = this.#place ?? this.#placeOfEnd(entries, linesOf);
    const top = indexOf(entries, from.number);
    const lines: Line[] = [];
    let index = top;
    for (; index < entries.length && lines.length < height; index += 1) {
      const entry = entries[index];
      if (entry !== undefined) lines.push(...linesOf(entry).slice(index === top ? from.part : 0));
    }
    return { lines: lines.slice(0, height), top, shown: index - top };
  }

  #placeOfEnd(entries: readonly LogEntry[], linesOf: (entry: LogEntry) => readonly Line[]): Place {
    let left = this.#height;
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const entry = entries[index];
      if (entry === undefined) break;
      left -= linesOf(entry).length;
      if (left <= 0) return { number: entry.number, part: -left };
    }
    return { number: entries[0]?.number ?? 0, part: 0 };
  }
}

/** Place of a line among the entries; where it is gone that of the first that came after it. */
function indexOf(entries: readonly LogEntry[], number: number): number {
  const found = entries.findIndex((entry) => entry.number === number);
  if (found >= 0) return found;
  return Math.max(
    0,
    entries.findIndex((entry) => entry.number > number),
  );
}

function lengthOf(entry: LogEntry | undefined, linesOf: (entry: LogEntry) => readonly Line[]): number {
  return entry === undefined ? 1 : Math.max(1, linesOf(entry).length);
}

function isBehind(entries: readonly LogEntry[], place: Place, other: Place): boolean {
  const [index, otherIndex] = [indexOf(entries, place.number), indexOf(entries, other.number)];
  return index > otherIndex || (index === otherIndex && place.part >= other.part);
}
