import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { escapeText } from "../../kit/text/escape.js";
import { cutMiddle, cutText, distinctWidth, textWidth } from "../../kit/text/text-width.js";

/** One column of a table of `T`. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** Columns with the highest rank are left out first when the terminal is narrow; 0 is always kept. */
  readonly rank: number;
  /** The column may be cut to this width; absent: never cut. */
  readonly shrinkTo?: number;
  /** Names lose their middle when they are cut, and stay different from each other as far as there is room. Default: the end. */
  readonly cut?: "middle";
  readonly align?: "left" | "right";
  /** Another word for it. */
  readonly id?: string;
  /** What it shows is measured, and has to be asked for. Default: it stands in the row. */
  readonly figure?: Figure;
  /** When it is shown unasked: "wide" where there is room without end, "asked" never. Default: always. */
  readonly shown?: "always" | "wide" | "asked";
  /** What is sorted by; default: the value. */
  readonly sortKey?: (row: T) => string | number;
  /** Colours a cell; told the padded text. */
  readonly style?: (row: T, text: string) => string;
}

/** How a table is drawn. */
export interface TableOptions {
  /** Columns of the terminal; undefined: no limit (a pipe, or wide output). */
  readonly width: number | undefined;
  /** Whether cells are coloured. */
  readonly color: boolean;
}

const gap = "  ";

/** Lays rows out once and prints further rows in the same layout. */
export class Table<T> {
  readonly #columns: readonly Column<T>[];
  readonly #widths: readonly number[];
  readonly #color: boolean;
  /** Whether cells may be cut: on a pipe nothing is. */
  readonly #cuts: boolean;

  /** @param sample rows the widths are chosen for. */
  constructor(columns: readonly Column<T>[], sample: readonly T[], options: TableOptions) {
    const natural = columns.map((column) =>
      sample.reduce((width, row) => Math.max(width, textWidth(cell(column, row))), textWidth(column.title)),
    );
    const kept = fitColumns(columns, natural, sample, options.width);
    this.#columns = kept.map(({ column }) => column);
    this.#widths = kept.map(({ width }) => width);
    this.#color = options.color;
    this.#cuts = options.width !== undefined;
  }

  header(): string {
    return this.#join(this.#columns.map((column, index) => this.#pad(column, column.title, index)));
  }

  /** Whether a row can be shown without cutting a column that must not be cut. */
  fits(row: T): boolean {
    return this.#columns.every(
      (column, index) =>
        (this.#cuts && column.shrinkTo !== undefined) || textWidth(cell(column, row)) <= (this.#widths[index] ?? 0),
    );
  }

  row(row: T): string {
    return this.#join(
      this.#columns.map((column, index) => {
        const text = this.#pad(column, cell(column, row), index);
        return this.#color && column.style !== undefined ? column.style(row, text) : text;
      }),
    );
  }

  #pad(column: Column<T>, text: string, index: number): string {
    const width = this.#widths[index] ?? 0;
    const cut = column.cut === "middle" ? cutMiddle(text, width) : cutText(text, width);
    const padding = " ".repeat(Math.max(0, width - textWidth(cut)));
    if (column.align === "right") return padding + cut;
    return index === this.#columns.length - 1 ? cut : cut + padding;
  }

  #join(cells: readonly string[]): string {
    return cells.join(gap).trimEnd();
  }
}

interface Placed<T> {
  readonly column: Column<T>;
  readonly width: number;
}

/** A column that must not be cut is, rather than that a line breaks, but leaves this much. */
const leastWidth = 4;

/**
 * Leaves out the columns of highest rank until the rest fits when cut, then cuts the widest ones as far as needed. In a terminal
 * that is too narrow even for that, everything is cut, and what still does not fit is left out from the right.
 */
function fitColumns<T>(
  columns: readonly Column<T>[],
  natural: readonly number[],
  sample: readonly T[],
  limit: number | undefined,
): Placed<T>[] {
  let placed = columns.map((column, index) => ({ column, width: natural[index] ?? 0 }));
  if (limit === undefined || total(placed, natural) <= limit) return placed;
  const least = new Map(placed.map(({ column, width }) => [column, leastUseful(column, width, sample)]));
  const leastOf = (of: readonly Placed<T>[]) => of.map(({ column }) => least.get(column) ?? 0);
  while (total(placed, leastOf(placed)) > limit) {
    const worst = placed.reduce((a, b) => (b.column.rank >= a.column.rank ? b : a));
    if (worst.column.rank === 0) break;
    placed = placed.filter((one) => one !== worst);
  }
  placed = shrink(placed, leastOf(placed), limit);
  placed = shrink(
    placed,
    placed.map(({ column, width }) => Math.min(width, column.shrinkTo ?? width)),
    limit,
  );
  placed = shrink(
    placed,
    placed.map(({ width }) => Math.min(width, leastWidth)),
    limit,
  );
  while (placed.length > 1 && total(placed, widthsOf(placed)) > limit) placed = placed.slice(0, -1);
  return placed;
}

/** To what a column may be cut: names as far as they still differ. */
function leastUseful<T>(column: Column<T>, width: number, sample: readonly T[]): number {
  const { shrinkTo = width, cut } = column;
  if (width <= shrinkTo || cut !== "middle") return Math.min(width, shrinkTo);
  return distinctWidth(
    sample.map((row) => cell(column, row)),
    shrinkTo,
  );
}

function widthsOf(placed: readonly Pick<Placed<never>, "width">[]): readonly number[] {
  return placed.map(({ width }) => width);
}

function total(placed: readonly unknown[], widths: readonly number[]): number {
  return widths
    .slice(0, placed.length)
    .reduce((sum, width) => sum + width, gap.length * Math.max(0, placed.length - 1));
}

/** Takes from the widest columns, down to `least`, until they fit. */
function shrink<T>(placed: readonly Placed<T>[], least: readonly number[], limit: number): Placed<T>[] {
  const widths = [...widthsOf(placed)];
  for (let excess = total(placed, widths) - limit; excess > 0; excess--) {
    let widest = -1;
    widths.forEach((width, index) => {
      if (width > (least[index] ?? 0) && width > (widths[widest] ?? 0)) widest = index;
    });
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return placed.map(({ column }, index) => ({ column, width: widths[index] ?? 0 }));
}

function cell<T>(column: Column<T>, row: T): string {
  const text = escapeText(column.value(row));
  return text === "" ? "-" : text;
}
