import type { CellContext } from "../fleet/fleet-view.js";
import type { Row } from "../row.js";
import type { Column } from "./column.js";

/** What is sorted by: numbers by their size, with their units; texts so that "vm2" comes before "vm10". */
export type SortKey = string | number;

const binary = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 };
const decimal = { k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 };
const prefixes: Readonly<Record<string, number>> = { "": 1, ...binary, ...decimal };
/** In seconds. */
const times: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  min: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_557_600,
};

/** The key of a row in a column, for every column there is. */
export function sortKeyOf(column: Column, row: Row, context: CellContext): SortKey {
  const key = column.sortKey?.(row, context);
  if (key !== undefined) return key;
  const text = column.searched?.(row, context) ?? column.cell(row, context).text;
  return amountOf(text) ?? naturalKey(text);
}

/** The size of "1.5 GiB", "20 ms", "3d 4h", "85%", "-12" or "1.2k"; undefined for what is no amount. */
export function amountOf(text: string): number | undefined {
  const trimmed = text.trim();
  const parts = [...trimmed.matchAll(/([+-]?\d+(?:\.\d+)?)\s*([A-Za-z\u00b5%/]*)\s*/gy)];
  if (parts.length === 0 || parts.map(([all]) => all).join("") !== trimmed) return undefined;
  let sum = 0;
  for (const [, number = "", unit = ""] of parts) {
    const factor = factorOf(unit);
    // Several numbers in a row are an amount only as a time: "3d 4h", not "10 20".
    if (factor === undefined || (parts.length > 1 && !(unit in times))) return undefined;
    sum += Number(number) * factor;
  }
  return sum;
}

function factorOf(unit: string): number | undefined {
  if (unit === "%") return 1;
  if (Object.hasOwn(times, unit)) return times[unit];
  const [, prefix = ""] = /^([KMGTP]i|[kKMGTP])?(?:B|b|bit|bits|pps|Hz)?(?:\/s)?$/.exec(unit) ?? [undefined, "none"];
  return prefixes[prefix];
}

/** A text as sort key: runs of digits compare by value, so "vm2" comes before "vm10". */
export function naturalKey(text: string): string {
  return text.toLowerCase().replace(/\d+/g, (run) => run.padStart(12, "0"));
}

/** Of what is not known: it comes last in either direction, as in queries. */
export const unknownKey = "\u{10ffff}";

/** {@link compareKeys} the one way or the other, but for what is not known. */
export function compareDirected(left: SortKey, right: SortKey, descending: boolean): number {
  const order = compareKeys(left, right);
  return descending && left !== unknownKey && right !== unknownKey ? -order : order;
}

/** Numbers come before texts, and texts that say nothing last of all. */
export function compareKeys(left: SortKey, right: SortKey): number {
  if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}
