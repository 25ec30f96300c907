import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

/** Parses repeated KEY=VALUE options. `option` names the option in the error. */
export function parsePairs(option: string, texts: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at <= 0) throw invalidArgument(option, `${quote(text)} does not have the form KEY=VALUE`);
    pairs[text.slice(0, at)] = text.slice(at + 1);
  }
  return pairs;
}

/**
 * Parses "key=value,key=value" with known keys; a key may be repeated, a bare key has the value "true".
 * @throws {ZorError} INVALID_ARGUMENT that lists the keys there are.
 */
export function parseFields(option: string, text: string, keys: readonly string[]): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const key = at < 0 ? part : part.slice(0, at);
    if (!keys.includes(key)) {
      throw invalidArgument(option, `${quote(part)} in ${quote(text)}: the keys are ${keys.join(", ")}`);
    }
    fields.set(key, [...(fields.get(key) ?? []), at < 0 ? "true" : part.slice(at + 1)]);
  }
  return fields;
}

/** The one value of a field, or undefined. @throws {ZorError} INVALID_ARGUMENT when it was given twice. */
export function singleField(option: string, fields: Map<string, string[]>, key: string): string | undefined {
  const values = fields.get(key) ?? [];
  if (values.length > 1) throw invalidArgument(option, `"${key}" is given twice`);
  return values[0];
}

/** A whole number within bounds. */
export function parseWhole(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidArgument(option, `${quote(text)} is not a whole number from ${min} to ${max}`);
}
