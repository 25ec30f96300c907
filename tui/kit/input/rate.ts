import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

const units: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Bytes a second of "500k", "10M", "1.5G" (binary units; a bare number counts bytes). @throws {ZorError} INVALID_ARGUMENT */
export function parseBytesPerSecond(option: string, text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,4})?)([kmg]?)(?:i?b)?(?:\/s)?$/i.exec(text.trim());
  const bytes = match === null ? 0 : Math.floor(Number(match[1]) * (units[(match[2] ?? "").toLowerCase()] ?? 0));
  if (bytes > 0) return bytes;
  throw invalidArgument(option, `${quote(text)} is not a rate such as 500k or 10M (bytes a second, more than 0)`);
}
