import type { TuiKind } from "../kind.js";
import type { Column } from "./column.js";
import { fieldColumn } from "./field-column.js";

/**
 * How somebody wants a table of a kind to look. Columns are named by their ids; "label.site" and fields of the resource ("spec.memoryMib") are
 * columns as well. What the kind does not have is passed over.
 */
export interface TableLook {
  /** Which columns, in which order; default: those of the kind. */
  readonly columns?: readonly string[] | undefined;
  /** Cells of columns, whatever is in them. */
  readonly widths?: Readonly<Record<string, number>> | undefined;
  readonly sort?: TableSort | undefined;
  /** Every column in its full width, as many as fit beside the name; the others are reached by walking along. */
  readonly wide?: boolean | undefined;
}

/** By which columns rows are sorted. */
export interface TableSort {
  readonly by: string;
  readonly descending: boolean;
  /** By what those are sorted that are the same in it, the first one first. */
  readonly thenBy?: readonly { readonly by: string; readonly descending: boolean }[] | undefined;
}

/** So many columns a table is sorted by at most. */
export const mostSorted = 4;

const [leastWidth, mostWidth] = [3, 120];
/** What was chosen by hand goes later than what was not. */
const chosenImportance = 8;

/** Every column that a kind has, those for wide tables too. */
export function allColumns(kind: TuiKind): readonly Column[] {
  return [...kind.columns, ...(kind.wideColumns ?? [])];
}

/** A column by its id: one of the kind's, or that of a label or a field. */
export function findColumn(kind: TuiKind, id: string): Column | undefined {
  return allColumns(kind).find((column) => column.id === id) ?? fieldColumn(kind.kind, id);
}

/** The columns that a look shows. */
export function shownColumns(kind: TuiKind, look: TableLook): readonly Column[] {
  const chosen = look.columns?.flatMap((id) => findColumn(kind, id) ?? []) ?? [];
  const usual = look.wide === true ? allColumns(kind) : kind.columns;
  const columns = chosen.length === 0 ? usual : chosen.map(important);
  return columns.map((column) => {
    const width = look.widths?.[column.id];
    return width === undefined ? column : fixed(column, Math.max(leastWidth, Math.min(mostWidth, Math.round(width))));
  });
}

function important(column: Column): Column {
  return { ...column, importance: Math.max(column.importance, chosenImportance) };
}

function fixed(column: Column, width: number): Column {
  const { grow, ...rest } = column;
  return { ...rest, min: width, max: width };
}

/** The look with a column there that was not, behind all others, or not there any more; the last one stays. */
export function withColumn(kind: TuiKind, look: TableLook, id: string): TableLook {
  const ids = shownColumns(kind, look).map((column) => column.id);
  const columns = ids.includes(id) ? ids.filter((each) => each !== id) : [...ids, id];
  return columns.length === 0 ? look : { ...look, columns };
}

/** The look with a column one place further to the left (-1) or right (1). */
export function withColumnMoved(kind: TuiKind, look: TableLook, { id, by }: { id: string; by: -1 | 1 }): TableLook {
  const columns = shownColumns(kind, look).map((column) => column.id);
  const from = columns.indexOf(id);
  const to = from + by;
  if (from < 0 || to < 0 || to >= columns.length) return look;
  columns.splice(from, 1);
  columns.splice(to, 0, id);
  return { ...look, columns };
}

/** The look with a column wider or narrower by so many cells. @param now how wide it is. */
export function withColumnWidth(look: TableLook, id: string, { now, by }: { now: number; by: number }): TableLook {
  const width = Math.max(leastWidth, Math.min(mostWidth, (look.widths?.[id] ?? now) + by));
  return { ...look, widths: { ...look.widths, [id]: width } };
}

/**
 * The columns of a wide table that are on the screen: the first one stays, of the others those from `first` on, so that `cursor` is among
 * them. @param widthOf cells that a column wants.
 */
export function wideWindow(
  columns: readonly Column[],
  { width, first, cursor }: { readonly width: number; readonly first: number; readonly cursor: number },
  widthOf: (column: Column) => number,
): { readonly columns: readonly Column[]; readonly first: number } {
  const [pinned, ...others] = columns;
  if (pinned === undefined) return { columns, first: 0 };
  const gap = 2;
  const room = width - widthOf(pinned);
  const used = (from: number, to: number) =>
    others.slice(from, to).reduce((sum, column) => sum + widthOf(column) + gap, 0);
  const at = cursor - 1;
  let start = Math.max(0, Math.min(first, others.length - 1));
  if (at >= 0 && at < start) start = at;
  while (at > start && used(start, at + 1) > room) start += 1;
  // No room is left empty at the right end.
  while (start > 0 && used(start - 1, others.length) <= room && at < 0) start -= 1;
  let end = start + 1;
  while (end < others.length && used(start, end + 1) <= room) end += 1;
  return { columns: [pinned, ...others.slice(start, end)], first: start };
}
