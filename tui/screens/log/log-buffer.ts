import { escapeText } from "../../kit/text/escape.js";
import type { Tone } from "../../kit/states.js";
import type { LogFilter } from "./log-filter.js";
import { noLogFilter } from "./log-filter.js";

/** Lines that are kept; the oldest go. */
const mostLines = 10_000;
/** Of a line, at most. */
const longestLine = 4096;

/** A line as it came. */
export interface LogEntry {
  /** Grows with every line. */
  readonly number: number;
  /** Place of its log among those that are shown together. */
  readonly source: number;
  readonly time: Date | undefined;
  /** Safe for terminals. */
  readonly text: string;
  readonly tone?: Tone;
}

/** The lines of logs, in the order of their times as far as they have any; those that a filter lets through. */
export class LogBuffer {
  #entries: LogEntry[] = [];
  #shown: LogEntry[] = [];
  #filter: LogFilter = noLogFilter;
  #numbers = 0;

  /** Those that the filter lets through, the oldest first. */
  get shown(): readonly LogEntry[] {
    return this.#shown;
  }

  get size(): number {
    return this.#entries.length;
  }

  get filter(): LogFilter {
    return this.#filter;
  }

  /** Number of the line that came last. */
  get last(): number {
    return this.#numbers;
  }

  setFilter(filter: LogFilter): void {
    this.#filter = filter;
    this.#shown = this.#entries.filter((entry) => this.#passes(entry));
  }

  clear(): void {
    this.#entries = [];
    this.#shown = [];
  }

  add({ text, ...rest }: Omit<LogEntry, "number">): void {
    this.#numbers += 1;
    const harmless = escapeText(text.slice(0, longestLine).replaceAll("\t", "    "));
    const entry = { ...rest, number: this.#numbers, text: harmless };
    put(this.#entries, entry);
    if (this.#passes(entry)) put(this.#shown, entry);
    // Some at a time: taking the first of many away costs as much as taking a thousand.
    if (this.#entries.length < mostLines * 1.1) return;
    const kept = new Set(this.#entries.splice(0, this.#entries.length - mostLines).map(({ number }) => number));
    this.#shown = this.#shown.filter(({ number }) => !kept.has(number));
  }

  /** What this program says itself of a log is always shown. */
  #passes(entry: LogEntry): boolean {
    return entry.tone !== undefined || this.#filter.passes(entry.text);
  }
}

/** Puts a line where its time is; without one at the end. Of one log the order is as it came. */
function put(entries: LogEntry[], entry: LogEntry): void {
  const { time, source } = entry;
  let at = entries.length;
  if (time !== undefined) {
    for (let before = entries[at - 1]; before !== undefined; before = entries[at - 1]) {
      if (before.source === source || before.time === undefined || before.time <= time) break;
      at -= 1;
    }
  }
  entries.splice(at, 0, entry);
}
