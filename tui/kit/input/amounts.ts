import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

const decimal: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };
const binary: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** A number with k, m or g (1000 each) and then, perhaps, a unit. */
export function parseAmount(where: string, text: string, what: string, unit: RegExp): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([kmg]?)(.*)$/i.exec(text);
  if (match === null || !unit.test((match[3] ?? "").toLowerCase())) {
    throw invalidArgument(where, `${quote(text)} is not ${what}`);
  }
  return Number(match[1]) * (decimal[(match[2] ?? "").toLowerCase()] ?? 1);
}

/** Bits per second of "64kbit", "10mbit" or "1gbit/s"; units are decimal. @throws {ZorError} INVALID_ARGUMENT */
export function parseBitRate(where: string, text: string): bigint {
  const words = "a rate such as 64kbit, 10mbit or 1gbit";
  return BigInt(Math.round(parseAmount(where, text, words, /^(?:bit|bps)?(?:\/s)?$/)));
}

/** Bytes of "1500", "64k", "64KiB" or "2M"; units are binary. */
export function parseBytes(where: string, text: string): bigint {
  const match = /^(\d{1,12}(?:\.\d{1,4})?)([kmg]?)(?:i?b)?$/i.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * (binary[(match[2] ?? "").toLowerCase()] ?? 1);
  if (Number.isInteger(bytes)) return BigInt(bytes);
  throw invalidArgument(where, `${quote(text)} is not an amount such as 1500, 64k or 2M`);
}
