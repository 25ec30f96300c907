import type { Column } from "./column.js";

/** Cells between two columns, at least. */
const gap = 2;
/** Columns of at least this importance are made narrower before they are dropped. */
const keepImportance = 7;
/** More than this between two columns makes rows hard to follow. */
const widestGap = 5;

/** A text column with something to say gets this much before others get theirs. */
const readableWidth = 24;

/** A column that is shown, and how wide. */
export interface PlacedColumn {
  readonly column: Column;
  readonly width: number;
}

/** Columns as they are placed on a line. */
export interface Layout {
  readonly columns: readonly PlacedColumn[];
  readonly gap: number;
}

/**
 * Chooses columns and widths for a line of `width` cells: unimportant columns go first, then columns shrink to their least
 * width, then more go; room that is left widens the growing column and the gaps.
 * @param contentWidthOf widest content seen in a column, title included.
 * @param leastWidthOf what a column needs at least to be of use; default: its own minimum. Not kept to when nothing else is left
 * to take from.
 */
export function layoutColumns(
  columns: readonly Column[],
  width: number,
  contentWidthOf: (column: Column) => number,
  leastWidthOf: (column: Column) => number = (column) => column.min,
): Layout {
  const wanted = (column: Column) => {
    const most =
      column.grow === true ? Math.min(column.max, readableWidth) : Math.max(column.max, leastWidthOf(column));
    return Math.min(most, Math.max(column.min, contentWidthOf(column)));
  };
  let kept = [...columns];
  const total = (widthOf: (column: Column) => number) =>
    kept.reduce((sum, column) => sum + widthOf(column), 0) + gap * (kept.length - 1);
  const least = (column: Column) => column.min;
  while (total(wanted) > width && kept.length > 1 && lowest(kept).importance < keepImportance)
    kept = without(kept, lowest(kept));
  while (total(least) > width && kept.length > 1) kept = without(kept, lowest(kept));
  const room = width - gap * (kept.length - 1);
  const useful = shrink(kept.map(wanted), kept.map(leastWidthOf), room);
  const widths = shrink(useful, kept.map(least), room);
  let spare = room - widths.reduce((sum, used) => sum + used, 0);
  const widen = (index: number, most: number) => {
    const extra = Math.min(spare, Math.max(0, most - (widths[index] ?? 0)));
    widths[index] = (widths[index] ?? 0) + extra;
    spare -= extra;
  };
  // Names first: half of one is of less use than half of a sentence.
  kept.forEach((column, index) => {
    if (column.cut === "middle") widen(index, contentWidthOf(column));
  });
  kept.forEach((column, index) => {
    if (column.grow === true) widen(index, Math.min(column.max, contentWidthOf(column)));
  });
  const wider = kept.length > 1 ? Math.min(widestGap - gap, Math.floor(spare / (kept.length - 1))) : 0;
  return {
    columns: kept.map((column, index) => ({ column, width: widths[index] ?? column.min })),
    gap: gap + Math.max(0, wider),
  };
}

/** Takes from the columns with the most to give, down to `least`, until they fit. */
function shrink(widths: readonly number[], least: readonly number[], room: number): number[] {
  const shrunk = [...widths];
  let excess = shrunk.reduce((sum, width) => sum + width, 0) - room;
  while (excess > 0) {
    const slack = shrunk.map((width, index) => width - (least[index] ?? 0));
    const most = slack.indexOf(Math.max(...slack));
    if ((slack[most] ?? 0) <= 0) break;
    shrunk[most] = (shrunk[most] ?? 0) - 1;
    excess -= 1;
  }
  // Not even the least widths fit: the last one standing takes what there is.
  if (excess > 0 && shrunk.length === 1) shrunk[0] = Math.max(1, room);
  return shrunk;
}

function lowest(columns: readonly Column[]): Column {
  // Among equals the rightmost goes first.
  return columns.reduce((low, column) => (column.importance <= low.importance ? column : low));
}

function without(columns: readonly Column[], column: Column): Column[] {
  return columns.filter((candidate) => candidate !== column);
}
