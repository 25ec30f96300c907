import type { Watched } from "../../../lib/figures/decoder.js";
import { measuredKindOf } from "../../../lib/figures/subject-kind.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { formatBytes, formatCount } from "../format.js";
import { shortName } from "../resource-name.js";
import { escapeText } from "../text/escape.js";
import { fitText } from "../text/text-width.js";

/** A column of figures. */
export interface TopColumn {
  readonly title: string;
  readonly width: number;
  readonly figure: Figure;
  readonly text: (value: number) => string;
}

/** What is shown together. */
export interface TopView {
  readonly word: string;
  /** Kind of what it shows. */
  readonly kind: ReturnType<typeof measuredKindOf>;
  readonly key: string;
  readonly columns: readonly TopColumn[];
  /** Title of the column that it is sorted by at first. */
  readonly sort: string;
}

/** A row: its name, and the values of the columns; undefined where nothing is measured. */
export interface TopRow {
  readonly name: string;
  /** Full name of the resource that is measured. */
  readonly resource: string;
  readonly values: readonly (number | undefined)[];
}

const percent = (value: number): string => (value / 10).toFixed(1);
const cores = (value: number): string => (value / 1000).toFixed(2);
const bytes = (value: number): string => formatBytes(Math.round(value));
/** Of what says with 0 that it is not known. */
const knownBytes = (value: number): string => (value === 0 ? "-" : bytes(value));
const count = (value: number): string => formatCount(value);
const column = (title: string, figure: Figure, text: TopColumn["text"], width = 7): TopColumn => ({
  ...{ title, figure, text, width },
});
const traffic = [
  column("IN/s", Figure.FIGURE_NET_IN, bytes),
  column("OUT/s", Figure.FIGURE_NET_OUT, bytes),
  column("DROPS/s", Figure.FIGURE_NET_DROPS, count),
];
const frames = [
  column("FR-IN/s", Figure.FIGURE_NET_IN_FRAMES, count),
  column("FR-OUT/s", Figure.FIGURE_NET_OUT_FRAMES, count, 8),
  column("ERRORS/s", Figure.FIGURE_NET_ERRORS, count, 8),
];

/** All views, in the order of their keys. */
export const topViews: readonly TopView[] = [
  {
    ...{ word: "hosts", kind: "host", key: "1", sort: "CORES" },
    columns: [
      column("CORES", Figure.FIGURE_CPU, cores, 6),
      column("CPU%", Figure.FIGURE_CPU_OF_LIMIT, percent, 6),
      column("USER%", Figure.FIGURE_CPU_USER, percent, 6),
      column("SYS%", Figure.FIGURE_CPU_SYSTEM, percent, 6),
      column("WAIT%", Figure.FIGURE_CPU_IOWAIT, percent, 6),
      column("LOAD", Figure.FIGURE_LOAD, (value) => (value / 100).toFixed(2), 6),
      column("MEM", Figure.FIGURE_MEMORY, bytes),
      column("FREE", Figure.FIGURE_MEMORY_AVAILABLE, bytes),
      column("SWAP", Figure.FIGURE_SWAP, bytes),
      column("KSM", Figure.FIGURE_KSM_SAVED, bytes),
      column("P-CPU%", Figure.FIGURE_PRESSURE_CPU, percent, 6),
      column("P-IO%", Figure.FIGURE_PRESSURE_IO, percent, 6),
    ],
  },
  {
    ...{ word: "instances", kind: "instance", key: "2", sort: "CORES" },
    columns: [
      column("CORES", Figure.FIGURE_CPU, cores, 6),
      column("CPU%", Figure.FIGURE_CPU_OF_LIMIT, percent, 6),
      column("MEM", Figure.FIGURE_MEMORY, bytes),
      column("READ/s", Figure.FIGURE_DISK_READ, bytes),
      column("WRITE/s", Figure.FIGURE_DISK_WRITE, bytes),
      ...traffic.slice(0, 2),
      column("GUEST", Figure.FIGURE_MEMORY_GUEST, knownBytes),
      column("G-FREE", Figure.FIGURE_MEMORY_GUEST_AVAILABLE, knownBytes),
      ...traffic.slice(2),
      column("R-OPS/s", Figure.FIGURE_DISK_READ_OPS, count),
      column("W-OPS/s", Figure.FIGURE_DISK_WRITE_OPS, count),
    ],
  },
  { ...{ word: "links", kind: "link", key: "3", sort: "IN/s" }, columns: [...traffic, ...frames] },
  { ...{ word: "lans", kind: "lan", key: "4", sort: "IN/s" }, columns: [...traffic, ...frames] },
  { ...{ word: "wires", kind: "wire", key: "5", sort: "IN/s" }, columns: [...traffic, ...frames] },
];

/** Figures that any view shows. */
export const shownFigures: readonly Figure[] = [
  ...new Set(topViews.flatMap(({ columns }) => columns.map(({ figure }) => figure))),
];

/** What rows are sorted by. */
export interface TopKey {
  /** Title of a column, or "NAME". */
  readonly title: string;
  /** The least first, of names the last; otherwise the most, of names the first. */
  readonly isReversed: boolean;
}

/** How rows are chosen and ordered. */
export interface TopOrder {
  /** What is the same by one is sorted by the next. */
  readonly order: readonly TopKey[];
  /** Only names that hold it. */
  readonly filter: string;
}

/** "CORES, then MEM, the least first". */
export function orderText(order: readonly TopKey[]): string {
  const keys = order.map(({ title, isReversed }) => {
    const reversed = title === "NAME" ? ", the last first" : ", the least first";
    return `${title}${isReversed ? reversed : ""}`;
  });
  return keys.join(", then ");
}

/** The rows of a view, in their order. */
export function topRows(all: Iterable<Watched>, view: TopView, { order, filter }: TopOrder): TopRow[] {
  const wanted = filter.toLowerCase();
  const rows: TopRow[] = [];
  for (const subject of all) {
    if (measuredKindOf(subject.name) !== view.kind) continue;
    const row = topRow(subject, view);
    if (wanted === "" || row.name.toLowerCase().includes(wanted)) rows.push(row);
  }
  const byName = (a: TopRow, b: TopRow): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const comparers = order.map(({ title, isReversed }) => {
    const at = view.columns.findIndex((column) => column.title === title);
    const sign = isReversed ? -1 : 1;
    // The most first.
    return (a: TopRow, b: TopRow): number =>
      sign * (at === -1 ? byName(a, b) : (b.values[at] ?? -1) - (a.values[at] ?? -1));
  });
  return rows.sort((a, b) => {
    for (const compare of comparers) {
      const found = compare(a, b);
      if (found !== 0) return found;
    }
    return byName(a, b);
  });
}

/** The row of something that is measured. */
export function topRow(subject: Watched, view: TopView): TopRow {
  const values = view.columns.map(({ figure }) => subject.values.get(figure));
  return { name: nameOf(subject), resource: subject.name, values };
}

function nameOf({ name, part, host }: Watched): string {
  if (name.startsWith("links/") && host !== "") return `${shortName(name)} at ${shortName(host)}`;
  return part === "" ? shortName(name) : `${shortName(name)} ${part}`;
}

/** As many columns of a view as there is room for, and what is left for the name. */
function fitColumns(
  view: TopView,
  columns: number,
): { readonly shown: readonly TopColumn[]; readonly nameWidth: number } {
  const leastName = 16;
  const shown: TopColumn[] = [];
  let left = columns - leastName;
  for (const each of view.columns) {
    if (left < each.width + 1) break;
    left -= each.width + 1;
    shown.push(each);
  }
  return { shown, nameWidth: leastName + Math.min(left, 40) };
}

/** The heads of the columns that a line of so many cells has room for. */
export function headTexts(view: TopView, columns: number): string {
  const { shown, nameWidth } = fitColumns(view, columns);
  return ["NAME".padEnd(nameWidth), ...shown.map((each) => each.title.padStart(each.width))].join(" ");
}

/** A row in the same columns, safe for terminals. */
export function cellTexts({ name, values }: TopRow, view: TopView, columns: number): string {
  const { shown, nameWidth } = fitColumns(view, columns);
  const cells = shown.map((each) => {
    const value = values[view.columns.indexOf(each)];
    return (value === undefined ? "-" : each.text(value)).padStart(each.width);
  });
  return [fitText(escapeText(name), nameWidth), ...cells].join(" ");
}
