import { messageOf } from "../../../lib/errors.js";
import { patternTest } from "../../../lib/query/pattern.js";

/** Which lines of a log are shown. */
export interface LogFilter {
  readonly text: string;
  /** What is wrong with it, for people; empty: nothing is. */
  readonly trouble: string;
  passes(line: string): boolean;
}

/** Every line is shown. */
export const noLogFilter: LogFilter = { text: "", trouble: "", passes: () => true };

/** What may be typed. */
export const logFilterHelp = "words, !word, ~regex, !~regex";

/**
 * Reads a filter: words that all have to be in a line, whatever their case; "~" before one: it is a regular expression; "!" before it:
 * it must not be there. What is half typed and no expression yet lets everything through, and says so.
 */
export function parseLogFilter(text: string): LogFilter {
  const words = text.split(/\s+/).filter((word) => word !== "" && word !== "!" && word !== "~" && word !== "!~");
  if (words.length === 0) return { ...noLogFilter, text };
  try {
    const terms = words.map(toTerm);
    return { text, trouble: "", passes: (line) => terms.every((holds) => holds(line)) };
  } catch (error) {
    return { ...noLogFilter, text, trouble: messageOf(error) };
  }
}

function toTerm(word: string): (line: string) => boolean {
  const isTurned = word.startsWith("!");
  const wanted = isTurned ? word.slice(1) : word;
  const isThere = wanted.startsWith("~") ? patternTest("filter", wanted.slice(1)) : textTerm(wanted);
  return (line) => isThere(line) !== isTurned;
}

function textTerm(word: string): (line: string) => boolean {
  const lower = word.toLowerCase();
  return (line) => line.toLowerCase().includes(lower);
}
