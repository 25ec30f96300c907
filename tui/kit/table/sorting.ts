import type { CellContext } from "../fleet/fleet-view.js";
import type { TuiKind } from "../kind.js";
import type { Row } from "../row.js";
import type { Column } from "./column.js";
import { type Entry, type EntryOrder, entryOrder } from "./ordered-slots.js";
import { compareDirected, type SortKey, sortKeyOf } from "./sort-key.js";
import { allColumns, findColumn, mostSorted, type TableLook } from "./table-look.js";

/** It goes with the last ones that are dropped. */
const sortedImportance = 9;

/** A column that rows are sorted by. */
export interface SortedColumn {
  readonly column: Column;
  readonly descending: boolean;
}

/** By what rows are sorted. */
export interface Sorting {
  readonly sortBy: Column;
  readonly descending: boolean;
  /** By what those are sorted that are the same in it, the first one first; default: by their names alone. */
  readonly thenBy?: readonly SortedColumn[];
}

/** All columns that it is sorted by, the first one first. */
export function sortingOf({ sortBy, descending, thenBy = [] }: Sorting): readonly SortedColumn[] {
  return [{ column: sortBy, descending }, ...thenBy];
}

export function isSortedAlike(left: Sorting, right: Sorting): boolean {
  const others = sortingOf(right);
  const all = sortingOf(left);
  return (
    all.length === others.length &&
    all.every(({ column, descending }, at) => column === others[at]?.column && descending === others[at]?.descending)
  );
}

/** The order of entries that have the keys of {@link keysOf}. */
export function orderOf({ descending, thenBy = [] }: Sorting): EntryOrder {
  return entryOrder(
    descending,
    thenBy.map((each) => each.descending),
  );
}

/** What a row is sorted by. */
export function keysOf(sorting: Sorting, row: Row, context: CellContext): Pick<Entry, "key" | "more"> {
  const { sortBy, thenBy = [] } = sorting;
  // Most tables are sorted by one column, and have many rows.
  const more = thenBy.length === 0 ? undefined : thenBy.map(({ column }) => sortKeyOf(column, row, context));
  return { key: sortKeyOf(sortBy, row, context), more };
}

export function areSameKeys(left: readonly SortKey[] | undefined, right: readonly SortKey[] | undefined): boolean {
  return left === right || (left?.length === right?.length && left?.every((key, at) => key === right?.[at]) === true);
}

/** Which of two rows comes first: below 0, the left one. */
export function compareRows(sorting: Sorting, [left, right]: readonly [Row, Row], context: CellContext): number {
  for (const { column, descending } of sortingOf(sorting)) {
    const order = compareDirected(sortKeyOf(column, left, context), sortKeyOf(column, right, context), descending);
    if (order !== 0) return order;
  }
  return 0;
}

/** By what a look sorts a kind; as the kind itself does where it does not say, or names no column there is. */
export function sortOf(kind: TuiKind, { sort }: TableLook): Required<Sorting> {
  const wanted = sort === undefined ? [] : [sort, ...(sort.thenBy ?? [])];
  const [first, ...thenBy] = wanted.flatMap(({ by, descending }) => {
    const column = findColumn(kind, by);
    return column === undefined ? [] : [{ column, descending }];
  });
  if (first !== undefined) return { sortBy: first.column, descending: first.descending, thenBy };
  const all = allColumns(kind);
  const usual = all.find(({ id }) => id === kind.sortBy) ?? all[0];
  if (usual === undefined) throw new Error(`a table needs a column "${kind.sortBy}"`);
  return { sortBy: usual, descending: usual.descending ?? false, thenBy: [] };
}

/** What is measured is seen where it is sorted by: it stays when the terminal is narrow, and stands behind the others if it was not there. */
export function withSorted(columns: readonly Column[], sorting: Sorting): readonly Column[] {
  const measured = sortingOf(sorting).flatMap(({ column }) => (column.figure === undefined ? [] : [column]));
  const ids = new Set(measured.map(({ id }) => id));
  const missing = measured.filter(({ id }) => columns.every((column) => column.id !== id));
  const isSorted = ({ id }: Column): boolean => ids.has(id);
  return [...columns, ...missing].map((column) =>
    isSorted(column) ? { ...column, importance: Math.max(column.importance, sortedImportance) } : column,
  );
}

/** How a look says it. @param sorting one column at least. */
export function sortFrom([first, ...others]: readonly SortedColumn[]): TableLook["sort"] {
  if (first === undefined) return undefined;
  const named = ({ column, descending }: SortedColumn) => ({ by: column.id, descending });
  return { ...named(first), ...(others.length === 0 ? {} : { thenBy: others.map(named) }) };
}

/** One more column, in place of the last one when there are {@link mostSorted}; one that is there already is turned round. */
export function alsoSortedBy(now: readonly SortedColumn[], column: Column): readonly SortedColumn[] {
  const isThis = (each: SortedColumn): boolean => each.column.id === column.id;
  if (now.some(isThis)) return now.map((each) => (isThis(each) ? { ...each, descending: !each.descending } : each));
  return [...now.slice(0, mostSorted - 1), { column, descending: column.descending ?? false }];
}
