import type { DescEnum } from "@bufbuild/protobuf";
import { parseDuration, toMs } from "../duration.js";
import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";
import { nearest } from "../nearest.js";
import { parseAmount, type Unit, unitExamples } from "../query/quantity.js";
import { listed } from "../words.js";
import { fieldNames, type Test, type ValueType } from "./field.js";

/** A field that is compared: what people call it, and what its values are. */
export interface Compared {
  readonly text: string;
  readonly value: ValueType;
  /** What a number counts; undefined: nothing that has a unit. */
  readonly unit?: Unit;
  readonly needsUnit?: boolean;
}

/** How values are compared; ":" is "has": contains, equals, or holds the key, whatever suits the field. */
export type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":";

/** What they are compared with. */
interface Wanted {
  readonly text: string;
  /** "*" without quotes: whatever is set. */
  readonly isAny: boolean;
}

/** Compares a field's value with the wanted one: below, at or above 0; undefined when there is nothing to compare. */
type Compare = (value: unknown) => number | undefined;

const timestampForm = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d))?$/;
const milliseconds: Unit = { dimension: "time", factor: 1 };
const numberForm = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * The test that a comparison makes of a field's values.
 * @throws {ZorError} INVALID_ARGUMENT when the field cannot be compared like this, or with this value.
 */
export function comparison(field: Compared, operator: Operator, value: Wanted): Test {
  if (value.isAny) return presence(field, operator);
  const { type } = field.value;
  if (type === "map") return hasKey(field, operator, value.text);
  if (type === "message") {
    const names = fieldNames(field.value.message).map((name) => `${field.text}.${name}`);
    throw invalidArgument("filter", `${field.text} consists of fields; compare one of ${listed(names)}`);
  }
  if (type === "bytes")
    throw invalidArgument("filter", `${field.text} holds bytes; whether there are any is asked by "${field.text} : *"`);
  if (operator === ":" && type === "text") return contains(value.text);
  if (type === "enum" || type === "bool") checkUnordered(field, operator);
  return ordered(compareWith(field, value.text), operator === ":" ? "=" : operator);
}

/** The test of values that contain a text, in whatever case. */
export function contains(text: string): Test {
  const wanted = text.toLowerCase();
  return (value) => typeof value === "string" && value.toLowerCase().includes(wanted);
}

/** Names of an enum's values without the prefix that all share, "RUNNING". */
export function enumNames({
  values,
  sharedPrefix = "",
}: DescEnum): { readonly name: string; readonly number: number }[] {
  return values.map(({ name, number }) => ({
    name: name.toLowerCase().startsWith(sharedPrefix) ? name.slice(sharedPrefix.length) : name,
    number,
  }));
}

/** Milliseconds since the epoch of what ts-proto makes of a timestamp; undefined: unset, or no time that there is. */
export function timeOf(value: unknown): number | undefined {
  const ms = value instanceof Date ? value.getTime() : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** Milliseconds of what ts-proto makes of a duration; undefined: unset. */
export function durationOf(value: unknown): number | undefined {
  // A field of this type holds nothing else.
  return typeof value === "object" && value !== null ? toMs(value as Parameters<typeof toMs>[0]) : undefined;
}

function presence({ text, value: { type } }: Compared, operator: Operator): Test {
  if (operator !== ":" && operator !== "=" && operator !== "!=") {
    throw invalidArgument("filter", `"*" stands for any value: ask "${text} : *"`);
  }
  const isSet = type === "map" ? (value: unknown) => Object.keys(Object(value)).length > 0 : isNotZero;
  return isSet;
}

function isNotZero(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length > 0;
  return value !== undefined && value !== "" && value !== 0 && value !== 0n && value !== false;
}

function hasKey({ text }: Compared, operator: Operator, key: string): Test {
  if (operator === ":") return (map) => typeof map === "object" && map !== null && Object.hasOwn(map, key);
  const ways = `"${text}.KEY = VALUE" asks for a value, "${text} : KEY" for a key`;
  throw invalidArgument("filter", `${text} is a map: ${ways}`);
}

function checkUnordered({ text, value }: Compared, operator: Operator): void {
  if (operator === "=" || operator === "!=" || operator === ":") return;
  const what = value.type === "bool" ? "is true or false" : "has no order";
  throw invalidArgument("filter", `${text} ${what}; compare it with = or !=`);
}

function ordered(compare: Compare, operator: Exclude<Operator, ":">): Test {
  switch (operator) {
    // The caller turns the answer for != around: none of several values may be equal.
    case "=":
    case "!=":
      return (value) => compare(value) === 0;
    case "<":
      return (value) => (compare(value) ?? 0) < 0;
    case "<=":
      return (value) => (compare(value) ?? 1) <= 0;
    case ">":
      return (value) => (compare(value) ?? 0) > 0;
    case ">=":
      return (value) => (compare(value) ?? -1) >= 0;
  }
}

/** An unset field compares as its zero value, as proto3 says; times and durations have none, and compare with nothing. */
function compareWith(field: Compared, text: string): Compare {
  const { value: kind } = field;
  switch (kind.type) {
    case "number": {
      const wanted = parseNumber(field, text);
      return (value) => order(typeof value === "number" || typeof value === "bigint" ? value : 0, wanted);
    }
    case "enum": {
      const wanted = parseEnum(field, kind, text);
      return (value) => order(typeof value === "number" ? value : 0, wanted);
    }
    case "bool": {
      if (text !== "true" && text !== "false") throw badValue(field, text, "true or false");
      const wanted = text === "true";
      return (value) => ((value === true) === wanted ? 0 : 1);
    }
    case "timestamp": {
      const wanted = parseTimestamp(field, text);
      return (value) => order(timeOf(value), wanted);
    }
    case "duration": {
      const wanted = parseDuration(text) ?? (numberForm.test(text) ? undefined : parseAmount(text, milliseconds));
      if (wanted === undefined) throw badValue(field, text, "a time such as 200us, 5ms, 1.5s, 15m or 2h");
      return (value) => order(durationOf(value), wanted);
    }
    default:
      return (value) => order(typeof value === "string" ? value : "", text);
  }
}

function order<T extends string | number | bigint>(value: T | undefined, wanted: T): number | undefined {
  if (value === undefined || Number.isNaN(value)) return undefined;
  return value < wanted ? -1 : value > wanted ? 1 : 0;
}

function parseNumber(field: Compared, text: string): number | bigint {
  const { unit, needsUnit = false } = field;
  const isPlain = numberForm.test(text);
  const amount = unit === undefined || (isPlain && unit.factor === 1) ? undefined : parseAmount(text, unit);
  if (needsUnit && isPlain && Number(text) !== 0) throw badValue(field, text, "a time such as 15m, 2h or 3d");
  // A figure that is counted in thousandths is asked for in what people count.
  if (amount !== undefined && (!isPlain || unit?.isScaled === true)) return amount;
  if (/^[+-]?\d{1,30}$/.test(text)) return BigInt(text.replace(/^\+/, ""));
  if (numberForm.test(text)) return Number(text);
  throw badValue(field, text, unit === undefined ? "a number" : unitExamples[unit.dimension]);
}

function parseTimestamp(field: Compared, text: string): number {
  const ms = timestampForm.test(text) ? Date.parse(text.replace(" ", "T")) : Number.NaN;
  if (Number.isNaN(ms)) throw badValue(field, text, 'a time such as "2026-01-31T12:00:00Z" or 2026-01-31');
  return ms;
}

function parseEnum({ text: path }: Compared, { values }: ValueType & { type: "enum" }, text: string): number {
  const wanted = text.toUpperCase();
  const names = enumNames(values);
  const found = names.find(({ name }) => name === wanted) ?? values.values.find(({ name }) => name === wanted);
  if (found !== undefined) return found.number;
  const known = names.map(({ name }) => name);
  const near = nearest(wanted, known);
  const guess = near === undefined ? "" : `did you mean ${near}? `;
  throw invalidArgument("filter", `${quote(text)} is not a value of ${path}; ${guess}its values are ${listed(known)}`);
}

function badValue({ text: path }: Compared, text: string, wanted: string): Error {
  return invalidArgument("filter", `${path} is compared with ${wanted}, not with ${quote(text)}`);
}
