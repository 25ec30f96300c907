/**
 * How a field and a value are compared. ":" is "has": contains, equals, or holds the key, whatever suits the field; "==" is "=" where "=" would
 * be satisfied with less, as in tables.
 */
export type Operator = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | ":" | "~" | "!~" | "in" | "not in";

/** Segments of a dotted path to a field, such as ["labels", "example.com/site"]. */
export type Path = readonly string[];

/** A part of a query's text: index of its first character, and of the one after it. */
export interface Place {
  readonly from: number;
  readonly to: number;
}

/** The right side of a comparison. */
export interface QueryValue {
  readonly text: string;
  /** "*" without quotes: whatever is set. */
  readonly isAny: boolean;
  readonly place: Place;
}

/** A field that is compared. */
export interface Comparison {
  readonly type: "comparison";
  readonly path: Path;
  readonly operator: Operator;
  /** One; of "in" and "not in" any number but none. */
  readonly values: readonly [QueryValue, ...QueryValue[]];
  /** Of the field. */
  readonly place: Place;
}

/** A filter as it was written, before anybody looked whether its fields exist. */
export type QueryTree =
  | { readonly type: "all" | "any"; readonly terms: readonly QueryTree[] }
  | { readonly type: "not"; readonly term: QueryTree }
  /** A value that stands alone; fuzzy: its letters in this order, whatever is between them. */
  | { readonly type: "word" | "fuzzy"; readonly value: string; readonly place: Place }
  | Comparison;

/** What a result is sorted by. */
export interface SortField {
  readonly path: Path;
  readonly descending: boolean;
  readonly place: Place;
}

/** A query as it was written. */
export interface Query {
  readonly tree: QueryTree;
  /** The first counts most. Empty: nothing is said. */
  readonly sort: readonly SortField[];
  /** Most results. */
  readonly limit: number | undefined;
}
