import type { CellContext } from "../fleet/fleet-view.js";
import { formatAge, formatBytes, formatCount } from "../format.js";
import { labelsOf, type Row } from "../row.js";
import { type StateStyle, unreachableStyle } from "../states.js";
import type { Cell, Column } from "./column.js";

/** Column with the last segment of the name. */
export function nameColumn(change: Partial<Pick<Column, "min">> = {}): Column {
  return {
    id: "name",
    title: "NAME",
    importance: 10,
    min: 9,
    max: 40,
    cut: "middle",
    sortLetter: "N",
    cell: (row) => ({ text: row.id, tone: "strong" }),
    searched: (row) => row.id,
    ...change,
  };
}

/** Column with the host of a resource. */
export function hostColumn(): Column {
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
  const pending = context.fleet.pendingOf(row.name);
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
  const time = context.fleet.lastSeenTime(host);
  return time === undefined ? "" : ageText(time, context);
}

/** Labels as one text, "a=b c=d". */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

/** Column with the labels. */
export function labelColumn(): Column {
  return {
    id: "labels",
    title: "LABELS",
    importance: 2,
    min: 10,
    max: 48,
    cell: (row) => ({ text: labelText(labelsOf(row)), tone: "dim" }),
    searched: (row) => labelText(labelsOf(row)),
  };
}

/** Column with a text that is only for where there is room without end. */
export function wideColumn<R>(id: string, title: string, textOf: (row: R) => string): Column<R> {
  const min = Math.max(6, title.length);
  return { id, title, importance: 1, min, max: 80, cell: (row) => ({ text: textOf(row) }), searched: textOf };
}

/** Column with a text of the resource, which can be searched. */
export function textColumn<T extends object>(
  { tone, ...look }: Omit<Column<Row<T>>, "cell" | "searched"> & Pick<Cell, "tone">,
  textOf: (resource: T) => string,
): Column<Row<T>> {
  return {
    ...look,
    cell: (row) => ({ text: textOf(row.resource), ...(tone === undefined ? {} : { tone }) }),
    searched: (row) => textOf(row.resource),
  };
}

/** Column with the instance that something is kept of. */
export function instanceColumn<T extends { readonly spec?: { readonly instance: string } | undefined }>(): Column<
  Row<T>
> {
  return textColumn(
    { id: "instance", title: "INSTANCE", importance: 9, min: 8, max: 32, sortLetter: "I" },
    ({ spec }) => spec?.instance ?? "",
  );
}

/** Column with the bytes of what is kept of an instance; the largest first when sorted. */
export function keptSizeColumn<T extends { readonly status?: { readonly sizeBytes: bigint } | undefined }>(): Column<
  Row<T>
> {
  const bytesOf = ({ resource }: Row<T>): bigint => resource.status?.sizeBytes ?? 0n;
  return {
    id: "size",
    title: "SIZE",
    importance: 6,
    min: 5,
    max: 9,
    align: "right",
    cell: (row) => ({ text: formatBytes(bytesOf(row)) }),
    sortKey: (row) => Number(bytesOf(row)),
  };
}

/** Column with a count; the largest first when sorted. */
export function countColumn<R>(
  options: Pick<Column<R>, "id" | "title" | "importance" | "sortLetter"> & {
    /** 1024 for bytes. */
    readonly base?: 1000 | 1024;
    /** Anything but none is worth a look. */
    readonly warns?: boolean;
  },
  amountOf: (row: R) => number | bigint,
): Column<R> {
  const { base = 1000, warns = false, ...rest } = options;
  return {
    ...rest,
    min: Math.max(5, rest.title.length),
    max: Math.max(6, rest.title.length),
    align: "right",
    descending: true,
    cell: (row) => {
      const amount = amountOf(row);
      return { text: formatCount(amount, base), ...(warns && amount > 0 ? { tone: "warn" } : {}) };
    },
    sortKey: (row) => Number(amountOf(row)),
  };
}

const who = (caller: string) => caller.replace(/^zor:\/\//, "");

/** Column with who asked for something. */
export function callerColumn<R>(callerOf: (row: R) => string): Column<R> {
  return {
    id: "caller",
    title: "CALLER",
    importance: 4,
    min: 10,
    max: 24,
    cell: (row) => ({ text: who(callerOf(row)), tone: "dim" }),
    searched: (row) => who(callerOf(row)),
  };
}
