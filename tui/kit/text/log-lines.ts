import type { LogPiece } from "../../../proto/gen/zor/v1/log.js";
import { escapeText } from "./escape.js";

const newline = 0x0a;
/** A line that is longer is cut there. */
const maxLineBytes = 64 * 1024;

/** A line of a log. */
export interface LogLine {
  /** As it is, without its end. */
  readonly text: string;
  /** When its first byte came; undefined: nobody knows. */
  readonly time: Date | undefined;
}

/** Puts the lines of a log together. Bounded: a guest may say as much as it likes without ending a line. */
export class LogLines {
  #parts: Buffer[] = [];
  #bytes = 0;
  #time: Date | undefined;

  /** The lines that a piece completes. */
  push({ data, time }: Pick<LogPiece, "data" | "time">): LogLine[] {
    const lines: LogLine[] = [];
    let begin = 0;
    for (let at = data.indexOf(newline); at !== -1; at = data.indexOf(newline, begin)) {
      this.#add(data.subarray(begin, at), time);
      begin = at + 1;
      lines.push(this.#take());
    }
    this.#add(data.subarray(begin), time);
    if (this.#bytes > maxLineBytes) lines.push(this.#take());
    return lines;
  }

  /** What is left at the end. */
  end(): LogLine[] {
    return this.#bytes === 0 ? [] : [this.#take()];
  }

  #add(part: Buffer, time: Date | undefined): void {
    if (this.#parts.length === 0) this.#time = time;
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  #take(): LogLine {
    const text = Buffer.concat(this.#parts).toString("utf8").replace(/\r+$/, "");
    const line = { text, time: this.#time };
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }
}

/** A line that no terminal takes for more than text. Tabs stay. */
export function harmless(text: string): string {
  return text.replace(/[^\t]+/g, escapeText);
}
