import { plainText } from "./json-value.js";
import { jsonText } from "./structured.js";

/** A function of templates. */
interface TemplateFunction {
  /** Fewest and most arguments. */
  readonly takes: readonly [least: number, most: number];
  /** Its arguments, for people. */
  readonly usage: string;
  run(...values: readonly unknown[]): unknown;
}

const many = Number.POSITIVE_INFINITY;

/** The functions of templates; those of Go that are of use here do what they do there. */
export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  and: { takes: [1, many], usage: "values", run: (...values) => values.find((each) => !isTrue(each)) ?? values.at(-1) },
  or: { takes: [1, many], usage: "values", run: (...values) => values.find(isTrue) ?? values.at(-1) },
  not: { takes: [1, 1], usage: "a value", run: (value) => !isTrue(value) },
  eq: {
    takes: [2, many],
    usage: "a value and those it may equal",
    run: (one, ...others) => others.some((other) => compare(one, other) === 0),
  },
  ne: { takes: [2, 2], usage: "two values", run: (one, other) => compare(one, other) !== 0 },
  lt: { takes: [2, 2], usage: "two values", run: (one, other) => compare(one, other) < 0 },
  le: { takes: [2, 2], usage: "two values", run: (one, other) => compare(one, other) <= 0 },
  gt: { takes: [2, 2], usage: "two values", run: (one, other) => compare(one, other) > 0 },
  ge: { takes: [2, 2], usage: "two values", run: (one, other) => compare(one, other) >= 0 },
  len: { takes: [1, 1], usage: "a text, list or object", run: sizeOf },
  index: { takes: [1, many], usage: "a list or object, and indices", run: (value, ...keys) => keys.reduce(at, value) },
  print: { takes: [0, many], usage: "values", run: (...values) => new Written(values.map(text).join("")) },
  println: { takes: [0, many], usage: "values", run: (...values) => new Written(`${values.map(text).join(" ")}\n`) },
  printf: {
    takes: [1, many],
    usage: "a format with %s, %d, %v or %q, and values",
    run: (format, ...values) => new Written(formatted(text(format), values)),
  },
  json: { takes: [1, 1], usage: "a value", run: (value) => new Written(jsonText(value ?? null, false)) },
  upper: { takes: [1, 1], usage: "a text", run: (value) => text(value).toUpperCase() },
  lower: { takes: [1, 1], usage: "a text", run: (value) => text(value).toLowerCase() },
  join: {
    takes: [2, 2],
    usage: "a separator and a list",
    run: (separator, list) => new Written((Array.isArray(list) ? list : []).map(text).join(text(separator))),
  },
  default: {
    takes: [2, 2],
    usage: "what stands for nothing, and a value",
    run: (other, value) => (isTrue(value) ? value : other),
  },
  base: {
    takes: [1, 1],
    usage: "a name, of which the last segment is left",
    run: (name) => text(name).split("/").at(-1),
  },
};

/** A text of a template's own: what of it came from resources is safe already, and its line ends stay. */
export class Written {
  readonly #text: string;

  constructor(written: string) {
    this.#text = written;
  }

  toString(): string {
    return this.#text;
  }
}

/** Whether a value counts as true: neither empty, zero nor false. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Written) return value.toString() !== "";
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== "";
}

/** A value as it is written into the output. */
export function text(value: unknown): string {
  return value instanceof Written ? value.toString() : plainText(value);
}

/** Numbers of 64 bits are texts in JSON: what looks like numbers is compared as such. */
function compare(one: unknown, other: unknown): number {
  const numbers = [one, other].map((value) => (text(value) === "" ? Number.NaN : Number(text(value))));
  const [a, b] = numbers.some(Number.isNaN) ? [text(one), text(other)] : (numbers as [number, number]);
  return a < b ? -1 : a > b ? 1 : 0;
}

function sizeOf(value: unknown): number {
  if (value instanceof Written) return value.toString().length;
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

function at(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) return value[Number(key)];
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, String(key))) return undefined;
  return Reflect.get(value, String(key));
}

const placeForm = /%(?<what>%|-?\d*(?:\.\d+)?[sdvqf])/g;

function formatted(format: string, values: readonly unknown[]): string {
  let next = 0;
  return format.replace(placeForm, (_, what: string) => {
    if (what === "%") return "%";
    const [, width = "", digits = "6", verb = "s"] = /^(-?\d*)(?:\.(\d+))?(.)$/.exec(what) ?? [];
    const value = text(values[next++]);
    const shown = verb === "q" ? JSON.stringify(value) : verb === "f" ? Number(value).toFixed(Number(digits)) : value;
    return width.startsWith("-") ? shown.padEnd(Number(width.slice(1))) : shown.padStart(Number(width));
  });
}
