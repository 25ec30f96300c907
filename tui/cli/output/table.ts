import stringWidth from "string-width";
import { escapeText } from "../../client/escape.js";

/** One column of a table of `T`. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** Columns with the highest rank are left out first when the terminal is narrow; 0 is always kept. */
  readonly rank: number;
  /** The column may be cut to this width; absent: never cut. */
  readonly shrinkTo?: number;
  readonly align?: "left" | "right";
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
      sample.reduce((width, row) => Math.max(width, displayWidth(cell(column, row))), column.title.length),
    );
    const kept = fitColumns(columns, natural, options.width);
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
        (this.#cuts && column.shrinkTo !== undefined) || displayWidth(cell(column, row)) <= (this.#widths[index] ?? 0),
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
    const cut = cutTo(text, width);
    const padding = " ".repeat(Math.max(0, width - displayWidth(cut)));
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

/** Leaves out the columns of highest rank until the rest fits when cut, then cuts the widest ones as far as needed. */
function fitColumns<T>(
  columns: readonly Column<T>[],
  natural: readonly number[],
  limit: number | undefined,
): Placed<T>[] {
  let placed = columns.map((column, index) => ({ column, width: natural[index] ?? 0 }));
  if (limit === undefined) return placed;
  const least = ({ column, width }: Placed<T>): number => Math.min(width, column.shrinkTo ?? width);
  const total = (of: readonly Placed<T>[], size: (placed: Placed<T>) => number): number =>
    of.reduce((sum, one) => sum + size(one), gap.length * Math.max(0, of.length - 1));
  while (total(placed, least) > limit) {
    const worst = placed.reduce((a, b) => (b.column.rank >= a.column.rank ? b : a));
    if (worst.column.rank === 0) break;
    placed = placed.filter((one) => one !== worst);
  }
  let excess = total(placed, ({ width }) => width) - limit;
  while (excess > 0) {
    const widest = placed.filter((one) => one.width > least(one)).sort((a, b) => b.width - a.width)[0];
    if (widest === undefined) break;
    placed = placed.map((one) => (one === widest ? { ...one, width: one.width - 1 } : one));
    excess -= 1;
  }
  return placed;
}

function cell<T>(column: Column<T>, row: T): string {
  const text = escapeText(column.value(row));
  return text === "" ? "-" : text;
}

/** Columns a text takes on a terminal. */
function displayWidth(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);
}

/** Cuts a text to a width; what was cut shows as an ellipsis. */
function cutTo(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = "";
  for (const character of text) {
    if (displayWidth(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}\u2026`;
}
