import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import { type Facts, noFacts } from "../query/facts.js";
import { parseSort } from "../query/parse.js";
import { pathText } from "../query/path.js";
import { pointing } from "../query/query-error.js";
import { findQueryField } from "../query/query-field.js";
import { compareSorted, type SortValue, sortReader } from "../query/sort-keys.js";
import type { Path, SortField } from "../query/tree.js";

/** What items are sorted by: a value, or one for each of several fields. */
export type OrderValue = SortValue | readonly SortValue[];

/** The order of a list. */
export interface Order {
  /** In one form for all ways to write it. */
  readonly text: string;
  /** Of each field that is sorted by. */
  readonly descending: readonly boolean[];
  /** Top-level fields, by ts-proto's names, that it looks at. */
  readonly fields: ReadonlySet<string>;
  /** What it asks for that is measured. */
  readonly figures: readonly Figure[];
  /** @param resource message in the form of ts-proto. */
  valueOf(resource: unknown): OrderValue;
}

/**
 * Reads "field", "field desc" or several, "host, mem desc", for resources of one type. Enums are ordered by their names, what is not set comes last.
 * @param type full name of the message, "zor.v1.Instance".
 * @throws {QueryError} that names the place, and the fields there are.
 */
export function parseOrder(orderBy: string, type: string, facts: Facts = noFacts): Order {
  // By name is what most lists want: it needs no descriptors.
  const byNameAlone = /^\s{0,9}name(?:\s{1,9}(asc|desc))?\s{0,9}$/i.exec(orderBy);
  if (byNameAlone !== null) return byName(byNameAlone[1]?.toLowerCase() === "desc");
  return orderOf("order_by", parseSort(orderBy, { where: "order_by" }), type, facts);
}

/** The order that a query asks for with "sort by". @param where field of the request that it stands in. @throws {QueryError} */
export function orderOf(where: string, sort: readonly SortField[], type: string, facts: Facts = noFacts): Order {
  const keys = sort.map(({ path, place }) => pointing(where, place, () => keyOf({ where, type, path, facts })));
  const [only] = keys;
  return {
    text: sort.map(({ path, descending }) => `${pathText(path)} ${descending}`).join(","),
    descending: sort.map(({ descending }) => descending),
    fields: new Set(keys.flatMap(({ tops }) => tops)),
    figures: keys.flatMap(({ figure }) => figure ?? []),
    valueOf: keys.length === 1 && only !== undefined ? only.read : (resource) => keys.map(({ read }) => read(resource)),
  };
}

/** Below, at or above 0. */
export function compareOrderValues(left: OrderValue, right: OrderValue, descending: readonly boolean[]): number {
  // Nearly all orders are by one field.
  if (typeof left !== "object" && typeof right !== "object") return compareSorted(left, right, descending[0] === true);
  const [a, b] = [valuesOf(left), valuesOf(right)];
  for (const [at, turned] of descending.entries()) {
    const order = compareSorted(a[at] ?? "", b[at] ?? "", turned);
    if (order !== 0) return order;
  }
  return 0;
}

function valuesOf(value: OrderValue): readonly SortValue[] {
  return typeof value === "object" ? value : [value];
}

function byName(descending: boolean): Order {
  return {
    text: `name ${descending}`,
    descending: [descending],
    fields: new Set(["name"]),
    figures: [],
    valueOf: nameOf,
  };
}

interface Key {
  readonly text: string;
  readonly tops: readonly string[];
  readonly figure: Figure | undefined;
  readonly read: (resource: unknown) => SortValue;
}

function keyOf(wanted: { where: string; type: string; path: Path; facts: Facts }): Key {
  const { where, type, path, facts } = wanted;
  const field = findQueryField(where, type, path);
  const sorted = sortReader(where, field);
  const { text, tops, figure } = field;
  return { text, tops, figure, read: (resource) => sorted(field.read(resource, facts)) };
}

function nameOf(resource: unknown): SortValue {
  return (resource as { readonly name: string }).name;
}
