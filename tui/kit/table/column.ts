import type { CellContext } from "../fleet/fleet-view.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { Row } from "../row.js";
import type { Tone } from "../states.js";

/** Content of a cell; not yet made safe for the terminal. */
export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

/** A column of a table. Methods, not function properties, so that a column of one kind can stand in a list of columns. */
export interface Column<R = Row> {
  /** Key of `key=value` filters. */
  readonly id: string;
  readonly title: string;
  /** Columns of small importance go first when the terminal is narrow; 10 is never dropped. */
  readonly importance: number;
  readonly min: number;
  readonly max: number;
  readonly align?: "right";
  /** Names: what is too long loses its middle, and stays different from the others as far as there is room. */
  readonly cut?: "middle";
  /** Takes the room that is left over. */
  readonly grow?: boolean;
  /** Upper-case letter that sorts by this column. */
  readonly sortLetter?: string;
  /** What it shows is measured, and known of those that somebody looks at; default: it stands in the resource. */
  readonly figure?: Figure;
  /** Largest first when sorted for the first time. */
  readonly descending?: boolean;
  cell(row: R, context: CellContext): Cell;
  /** The text where nothing has to be short: in tables of the command line. Default: that of the cell. */
  spelled?(row: R): string;
  /** What is sorted by; default: the searched text. */
  sortKey?(row: R, context: CellContext): string | number;
  /** What filters look at, without anything that changes by itself; default: none. */
  searched?(row: R, context: CellContext): string;
}
