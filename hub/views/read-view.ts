import { toMs } from "../../lib/duration.js";
import { invalidArgument } from "../../lib/errors.js";
import { allKinds, kindNamed } from "../../lib/kinds/kinds.js";
import { checkKinds } from "../../lib/kinds/resource.js";
import { parseName, quote } from "../../lib/names.js";
import { BadTerms, compileQuery, type Predicate } from "../../lib/query/compile.js";
import { parseQuery, parseSort } from "../../lib/query/parse.js";
import { parsePath } from "../../lib/query/path.js";
import { printSort, printTree } from "../../lib/query/print.js";
import { pointing, QueryError } from "../../lib/query/query-error.js";
import { findQueryField, type QueryField } from "../../lib/query/query-field.js";
import { type SortValue, sortReader } from "../../lib/query/sort-keys.js";
import type { QueryTree, SortField } from "../../lib/query/tree.js";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import type { WatchViewRequest } from "../../proto/gen/zor/v1/view_service.js";
import type { ColumnLease } from "./column-lease.js";
import { type FieldPick, readFields } from "./pick-fields.js";
import type { Row, RowTable } from "./row-table.js";
import type { Tables } from "./tables.js";

const [mostKinds, mostRows, usualRows, mostColumns, mostNames] = [20, 1000, 100, 32, 1000];
const mostSums = 8;
const [leastMs, mostMs, usualMs] = [50, 60_000, 100];

/** A request to watch a view, as it was understood. */
export interface ReadView {
  readonly kinds: readonly ReadKind[];
  readonly tree: QueryTree;
  readonly parent: string;
  readonly descending: readonly boolean[];
  /** Stand for the order of the kinds, and for what is selected of it. */
  readonly orderKey: string;
  readonly selectionKey: string;
  /** Most rows that the query asks for. */
  readonly limit: number;
  readonly window: { readonly offset: number; readonly anchor: string; readonly rows: number };
  readonly fields: FieldPick | undefined;
  readonly columns: readonly string[];
  /** Columns that are summed up. */
  readonly sums: readonly string[];
  readonly intervalMs: number;
  /** What it asks for that is measured. */
  readonly figures: ReadonlySet<Figure>;
  /** Has its columns of tables stay. */
  readonly lease: ColumnLease;
}

/** What is asked of one kind. */
interface ReadKind {
  readonly table: RowTable;
  readonly passes: Predicate<Row>;
  readonly keysOf: (row: Row) => readonly SortValue[];
  readonly valuesOf: readonly ((row: Row) => unknown)[];
  readonly fieldsOf: readonly (QueryField | undefined)[];
  /** The numbers of a row that are summed up. */
  readonly addendsOf: readonly (((row: Row) => number) | undefined)[];
}

/** @throws {ZorError} INVALID_ARGUMENT that names the field, of queries the column as well; RESOURCE_EXHAUSTED when its caller looks at too much. */
export function readView(request: WatchViewRequest, tables: Tables, lease: ColumnLease): ReadView {
  const kinds = kindsOf(request);
  const { parent, anchor, offset } = request;
  if (parent !== "") parseName("parent", parent);
  if (anchor !== "") parseName("anchor", anchor);
  if (anchor === "" && offset < 0) throw invalidArgument("offset", "must not be negative without an anchor");
  if (request.limit < 0 || request.limit > mostRows) throw invalidArgument("limit", `is not between 0 and ${mostRows}`);
  if (request.columns.length > mostColumns) throw invalidArgument("columns", `are more than ${mostColumns}`);
  if (request.sums.length > mostSums) throw invalidArgument("sums", `are more than ${mostSums}`);
  if (request.known.length > mostNames) throw invalidArgument("known", `are more than ${mostNames}`);
  for (const name of request.known) parseName("known", name);
  const query = parseQuery(request.query, { where: "query" });
  const isByRequest = request.orderBy.trim() !== "";
  const sort = isByRequest ? parseSort(request.orderBy, { where: "order_by" }) : query.sort;
  const figures = new Set<Figure>();
  const look = (field: QueryField): QueryField => {
    if (field.figure !== undefined) figures.add(field.figure);
    return field;
  };
  const bad = new BadTerms();
  const where = isByRequest ? "order_by" : "query";
  const read = kinds.map((kind): ReadKind => {
    const { type } = kindNamed(kind);
    const table = tables.of(kind);
    const passes = compileQuery<Row>(query.tree, {
      ...{ where: "query", type, words: "text", isGuarded: true },
      bind: (field) => table.bind(look(field), lease),
      onBad: (term, error) => bad.note(term, error),
    });
    const keys = sort.map((field) => sortKey({ where, type, table, field, isOnly: kinds.length === 1, look, lease }));
    const fieldsOf = request.columns.map((column) =>
      findColumn({ where: "columns", type, column, isOnly: kinds.length === 1 }),
    );
    const valuesOf = fieldsOf.map((field) => (field === undefined ? () => undefined : table.bind(look(field), lease)));
    const addendsOf = request.sums.map((column) => {
      const field = findColumn({ where: "sums", type, column, isOnly: kinds.length === 1 });
      if (field === undefined) return undefined;
      if (field.value.type !== "number") throw invalidArgument("sums", `${quote(column)} of ${kind} is not a number`);
      const found = table.bind(look(field), lease);
      const factor = field.unit?.factor ?? 1;
      return (row: Row): number => factor * numberOf(found(row));
    });
    return { table, passes, keysOf: (row) => keys.map((key) => key(row)), valuesOf, fieldsOf, addendsOf };
  });
  bad.throwCommon(kinds.length);
  checkSort(where, sort, kinds);
  checkColumns(
    "columns",
    request.columns,
    read.map((kind) => kind.fieldsOf),
  );
  checkColumns(
    "sums",
    request.sums,
    read.map(({ addendsOf }) => addendsOf),
  );
  const orderKey = JSON.stringify([kinds, printSort(sort)]);
  return {
    ...{ kinds: read, tree: query.tree, parent, orderKey, figures, columns: request.columns },
    sums: request.sums,
    lease,
    descending: sort.map(({ descending }) => descending),
    selectionKey: JSON.stringify([orderKey, parent, printTree(query.tree)]),
    limit: query.limit ?? Number.POSITIVE_INFINITY,
    window: { offset, anchor, rows: request.limit === 0 ? usualRows : request.limit },
    fields: readFields(request.fields, kinds),
    intervalMs: intervalOf(request),
  };
}

/** A number that was found, of several all together; 0: there is none. */
function numberOf(found: unknown): number {
  if (Array.isArray(found)) return found.reduce((sum: number, each) => sum + numberOf(each), 0);
  const number = Number(found ?? 0);
  return Number.isFinite(number) ? number : 0;
}

function kindsOf({ kinds }: WatchViewRequest): readonly string[] {
  const known = allKinds().map(({ singular }) => singular);
  checkKinds("kinds", kinds, known);
  if (kinds.length > mostKinds) throw invalidArgument("kinds", `are more than ${mostKinds}`);
  if (kinds.length === 0) return known.filter((kind) => kind !== "event");
  return [...new Set(kinds)].sort();
}

interface SortOptions {
  readonly where: string;
  readonly type: string;
  readonly table: RowTable;
  readonly field: SortField;
  readonly isOnly: boolean;
  readonly look: (field: QueryField) => QueryField;
  readonly lease: ColumnLease;
}

function sortKey({ where, type, table, field, isOnly, look, lease }: SortOptions): (row: Row) => SortValue {
  return pointing(where, field.place, () => {
    try {
      const found = look(findQueryField(where, type, field.path));
      const sorted = sortReader(where, found);
      const read = table.bindStill(found, lease);
      return (row: Row) => sorted(read(row));
    } catch (error) {
      // Of several kinds some have none: they come last.
      if (isOnly) throw error;
      return () => "";
    }
  });
}

/** What no kind can be sorted by is a mistake. */
function checkSort(where: string, sort: readonly SortField[], kinds: readonly string[]): void {
  for (const { path, place } of sort) {
    const errors = kinds.flatMap((kind) => {
      try {
        sortReader(where, findQueryField(where, kindNamed(kind).type, path));
        return [];
      } catch (error) {
        return [error];
      }
    });
    if (errors.length < kinds.length) continue;
    pointing(where, place, () => {
      throw errors[0];
    });
  }
}

interface ColumnOptions {
  readonly where: string;
  readonly type: string;
  readonly column: string;
  readonly isOnly: boolean;
}

function findColumn({ where, type, column, isOnly }: ColumnOptions): QueryField | undefined {
  try {
    return findQueryField(where, type, parsePath(where, column));
  } catch (error) {
    if (isOnly) throw error;
    return undefined;
  }
}

/** A column that no kind has is a mistake. */
function checkColumns(where: string, columns: readonly string[], found: readonly (readonly unknown[])[]): void {
  for (const [at, column] of columns.entries()) {
    if (found.every((ofKind) => ofKind[at] === undefined)) {
      throw new QueryError(where, `no kind has a field ${quote(column)}`, { from: 0, to: column.length });
    }
  }
}

function intervalOf({ interval }: WatchViewRequest): number {
  if (interval === undefined) return usualMs;
  const ms = toMs(interval);
  if (ms >= leastMs && ms <= mostMs) return ms;
  throw invalidArgument("interval", `is not between ${leastMs} ms and ${mostMs / 1000} s`);
}
