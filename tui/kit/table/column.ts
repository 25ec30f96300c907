import type { Fleet } from "../fleet/fleet.js";
import { formatAge } from "../format.js";
import type { Row, RowOf, TableKind } from "../row.js";
import { type StateStyle, type Tone, unreachableStyle } from "../states.js";

/** What a cell is computed from besides its row. */
export interface CellContext {
  readonly fleet: Fleet;
  /** Local time. */
  readonly nowMs: number;
}

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
  /** Largest first when sorted for the first time. */
  readonly descending?: boolean;
  cell(row: R, context: CellContext): Cell;
  /** What is sorted by; default: the searched text. */
  sortKey?(row: R, context: CellContext): string | number;
  /** What filters look at, without anything that changes by itself; default: none. */
  searched?(row: R, context: CellContext): string;
}

/** The columns of one kind of table, in order. */
export interface TableColumns<K extends TableKind = TableKind> {
  readonly columns: readonly Column<RowOf<K>>[];
  /** Id of the column sorted by at first. */
  readonly sortBy: string;
}

/** Column with the last segment of the name. */
export function nameColumn<K extends TableKind>(title = "NAME"): Column<RowOf<K>> {
  return {
    id: "name",
    title,
    importance: 10,
    min: 9,
    max: 40,
    cut: "middle",
    sortLetter: "N",
    cell: (row) => ({ text: row.id, tone: "strong" }),
    searched: (row) => row.id,
  };
}

/** Column with the host of a resource. */
export function hostColumn<K extends TableKind>(): Column<RowOf<K>> {
  return {
    id: "host",
    title: "HOST",
    importance: 9,
    min: 6,
    max: 24,
    cut: "middle",
    sortLetter: "H",
    cell: (row) => ({ text: row.host }),
    searched: (row) => row.host,
  };
}

/** Column with the age of a timestamp; the newest first when sorted. */
export function ageColumn<R>(
  options: Pick<Column<R>, "id" | "title" | "importance" | "sortLetter">,
  timeOf: (row: R) => Date | undefined,
): Column<R> {
  return {
    ...options,
    min: 6,
    max: 7,
    align: "right",
    cell: (row, context) => ({ text: ageText(timeOf(row), context) }),
    sortKey: (row) => -(timeOf(row)?.getTime() ?? 0),
  };
}

/** Age of a timestamp of the hub; "-" when unset. */
export function ageText(time: Date | undefined, context: CellContext): string {
  return time === undefined ? "-" : formatAge(context.fleet.hubTimeMs(context.nowMs) - time.getTime());
}

/** The state cell of something on a host: its state, what is asked of it, or that its host does not answer. */
export function stateCell(row: Row, style: StateStyle, context: CellContext): Cell {
  const pending = context.fleet.pending.get(row.name);
  if (pending !== undefined) {
    const age = formatAge(context.nowMs - pending.sinceMs);
    return { text: `${style.symbol} ${style.word} → ${pending.verb} ${age}`, tone: "busy" };
  }
  if (!context.fleet.isReachable(row.host)) {
    return { text: `${unreachableStyle.symbol} ${unreachableStyle.word} ${hostSeen(row.host, context)}`, tone: "warn" };
  }
  return { text: `${style.symbol} ${style.word}`, tone: style.tone };
}

/** The word `state=` filters match for something on a host: what a host that does not answer last said is no state. */
function stateWord(row: Row, style: StateStyle, context: CellContext): string {
  return context.fleet.isReachable(row.host) ? style.word : unreachableStyle.word;
}

/** Column with the state of something on a host. */
export function stateColumn<R extends Row>(min: number, styleOf: (row: R) => StateStyle): Column<R> {
  return {
    id: "state",
    title: "STATE",
    importance: 10,
    min,
    max: 26,
    sortLetter: "S",
    cell: (row, context) => stateCell(row, styleOf(row), context),
    searched: (row, context) => stateWord(row, styleOf(row), context),
  };
}

/** Column with the reason why something on a host is in its state. */
export function reasonColumn<R extends Row>(
  importance: number,
  styleOf: (row: R) => StateStyle,
  reasonOf: (row: R) => string,
): Column<R> {
  const cell = (row: R, context: CellContext): Cell => reasonCell(row, styleOf(row), reasonOf(row), context);
  return {
    id: "reason",
    title: "REASON",
    importance,
    min: 8,
    max: 60,
    grow: true,
    cell,
    searched: (row, context) => cell(row, context).text,
  };
}

/** What the reason column says of something on a host. */
function reasonCell(row: Row, style: StateStyle, reason: string, context: CellContext): Cell {
  if (context.fleet.isReachable(row.host)) return { text: reason, tone: style.tone === "bad" ? "bad" : "plain" };
  const known = `last known ${style.word}`;
  return { text: reason === "" ? known : `${known}: ${reason}`, tone: "dim" };
}

function hostSeen(host: string, context: CellContext): string {
  const row = context.fleet.tables.hosts.find(`hosts/${host}`);
  return row?.kind === "hosts" && row.resource.lastSeenTime !== undefined
    ? ageText(row.resource.lastSeenTime, context)
    : "";
}

/** Labels as one text, "a=b c=d". */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

/** Column with the labels. */
export function labelColumn<K extends "hosts" | "instances" | "lans" | "links" | "a2bs">(): Column<RowOf<K>> {
  return {
    id: "labels",
    title: "LABELS",
    importance: 2,
    min: 10,
    max: 48,
    cell: (row) => ({ text: labelText(row.resource.labels), tone: "dim" }),
    searched: (row) => labelText(row.resource.labels),
  };
}
