import { parseDuration } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

/** A week: more is a slip of the pen. */
const longestMs = 7 * 24 * 3_600_000;

/** Milliseconds of "500ms", "10s", "15m", "2h"; a bare number counts seconds. `option` names the option in the error. */
export function parseDurationMs(option: string, text: string): number {
  const word = text.trim();
  const milliseconds = parseDuration(/\d$/.test(word) ? `${word}s` : word);
  if (milliseconds !== undefined && milliseconds >= 1 && milliseconds <= longestMs) return Math.round(milliseconds);
  throw invalidArgument(option, `${quote(text)} is not a time such as 500ms, 10s, 15m or 2h`);
}
