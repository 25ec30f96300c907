import type { Fleet } from "../fleet/fleet.js";
import type { CellContext } from "../fleet/fleet-view.js";
import type { Cell, Column } from "./column.js";
import { type Layout, layoutColumns } from "./layout.js";
import { plainText } from "../text/plain-text.js";
import type { Row } from "../row.js";
import type { Line, Segment } from "../text/segment.js";
import { wideWindow } from "./table-look.js";
import type { TableState, TableWindow } from "./table-state.js";
import { distinctWidth, fitText, textWidth } from "../text/text-width.js";

/** Room for the cursor and the mark. */
export const gutter = 2;

/** A row as it is drawn. */
export interface FrameRow {
  readonly name: string;
  readonly line: Line;
  readonly selected: boolean;
  /** What is shown is old. */
  readonly faded: boolean;
}

/** The part of a table that is on the screen, as lines of exactly the given width or less. */
export interface TableFrame {
  readonly header: Line;
  readonly rows: readonly FrameRow[];
  readonly window: TableWindow;
  readonly layout: Layout;
  /** The whole of the text that was cut, or left out, in the growing column under the cursor; empty when nothing was. */
  readonly cutText: string;
}

/** Draws a table into `width` x `height` cells, header line included. */
export function drawTable(
  table: TableState,
  fleet: Fleet,
  { width, height, nowMs }: { readonly width: number; readonly height: number; readonly nowMs: number },
): TableFrame {
  const context = { fleet, nowMs };
  const window = table.window(Math.max(1, height - 1), nowMs);
  const cells = window.rows.map((row) => cellsOf(table.columns, row, context));
  const cursorId = table.columns[table.columnCursor]?.id;
  const contentWidths = table.noteWidths(width, widestOf(table, cells));
  const shown = table.look.wide === true ? wideColumns(table, width - gutter, contentWidths) : table.columns;
  const layout = layoutColumns(
    shown,
    width - gutter,
    (column) => contentWidths.get(column.id) ?? 0,
    (column) => Math.max(column.min, contentWidths.get(leastKey(column)) ?? 0),
  );
  const { phase } = fleet.connection;
  const old = phase === "lost" || phase === "refused";
  return {
    header: headerLine(table, layout, cursorId),
    layout,
    rows: window.rows.map((row, index) => {
      const selected = window.top + index === window.cursor;
      const marked = table.marked.has(row.name);
      return {
        name: row.name,
        line: rowLine(cells[index] ?? new Map(), layout, selected, marked),
        selected,
        // What happened stays as true as it was when its host is lost.
        faded: old || (table.kind.log === undefined && (!fleet.isReachable(row.host) || fleet.isAway(row.name))),
      };
    }),
    window,
    cutText: cutUnderCursor(table.columns, layout, cells[window.cursor - window.top]),
  };
}

/** Names that were cut, and what does not fit into the growing column. */
function cutUnderCursor(columns: readonly Column[], layout: Layout, cells: Cells | undefined): string {
  const cut: string[] = [];
  for (const column of columns) {
    const placed = layout.columns.find((each) => each.column === column);
    const tells = column.grow === true || (column.cut === "middle" && placed !== undefined);
    const text = tells ? (cells?.get(column.id)?.text ?? "") : "";
    if (textWidth(text) > (placed?.width ?? 0)) cut.push(text);
  }
  return cut.join(": ");
}

/** Under which the least useful width of a column is noted. */
function leastKey(column: Column): string {
  return `${column.id} least`;
}

type Cells = ReadonlyMap<string, Cell>;

function cellsOf(columns: readonly Column[], row: Row, context: CellContext): Cells {
  return new Map(
    columns.map((column) => {
      const cell = column.cell(row, context);
      return [column.id, { ...cell, text: plainText(cell.text) }];
    }),
  );
}

/** The widest content of each column, and the least width at which names differ. */
function widestOf({ columns, sorting }: TableState, rows: readonly Cells[]): Map<string, number> {
  return new Map(
    columns.flatMap((column) => {
      const isRanked = sorting.length > 1 && sorting.some((each) => each.column.id === column.id);
      // More for the arrow of a column that is sorted by, and for its number where there are several.
      const title = column.title.length + (isRanked ? 2 : column.sortLetter === undefined ? 0 : 1);
      const texts = rows.map((cells) => cells.get(column.id)?.text ?? "");
      const widest: [string, number] = [column.id, Math.max(title, ...texts.map(textWidth))];
      return column.cut === "middle" ? [widest, [leastKey(column), distinctWidth(texts, column.min)]] : [widest];
    }),
  );
}

/** The columns of a wide table that fit, the one that was chosen among them. */
function wideColumns(table: TableState, width: number, contents: ReadonlyMap<string, number>): readonly Column[] {
  const widthOf = (column: Column): number => Math.min(column.max, Math.max(column.min, contents.get(column.id) ?? 0));
  const { columnCursor: cursor, firstColumn: first } = table;
  const found = wideWindow(table.columns, { width, first, cursor }, widthOf);
  table.firstColumn = found.first;
  return found.columns;
}

function headerLine(table: TableState, layout: Layout, cursorId: string | undefined): Line {
  const { sorting } = table;
  const line: Segment[] = [{ text: " ".repeat(gutter) }];
  layout.columns.forEach(({ column, width }, index) => {
    const rank = sorting.findIndex((each) => each.column.id === column.id);
    const isSorted = rank >= 0;
    const arrow = sorting[rank]?.descending === true ? "↓" : "↑";
    // Which comes first is told where there are several.
    const title = isSorted ? `${column.title}${sorting.length > 1 ? rank + 1 : ""}${arrow}` : column.title;
    if (index > 0) line.push({ text: " ".repeat(layout.gap) });
    const tone = isSorted ? "accent" : "dim";
    const text = fitText(title, width, column.align);
    line.push(column.id === cursorId ? { text, tone, inverse: true } : { text, tone });
  });
  return line;
}

function rowLine(cells: Cells, layout: Layout, selected: boolean, marked: boolean): Line {
  const line: Segment[] = [{ text: `${selected ? "❯" : " "}${marked ? "*" : " "}`, tone: "accent" }];
  layout.columns.forEach(({ column, width }, index) => {
    const cell = cells.get(column.id);
    if (index > 0) line.push({ text: " ".repeat(layout.gap) });
    line.push({
      text: fitText(cell?.text ?? "", width, column.align, column.cut),
      ...(cell?.tone === undefined ? {} : { tone: cell.tone }),
    });
  });
  return line;
}
