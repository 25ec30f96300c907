import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of "500ms", "10s", "15m", "2h"; a bare number counts seconds. `option` names the option in the error. */
export function parseDurationMs(option: string, text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text.trim());
  const milliseconds = match === null ? 0 : Number(match[1]) * (unitMs[match[2] ?? "s"] ?? 0);
  if (milliseconds >= 1 && milliseconds <= 7 * 24 * 3_600_000) return Math.round(milliseconds);
  throw invalidArgument(option, `${quote(text)} is not a time such as 500ms, 10s, 15m or 2h`);
}
