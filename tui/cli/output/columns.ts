import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import type { Fleet } from "../../kit/fleet/fleet.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import { labelsOf, type Row } from "../../kit/row.js";
import type { Cell, Column as KindColumn } from "../../kit/table/column.js";
import { labelText } from "../../kit/table/columns.js";
import { hasLabels } from "../kinds.js";
import type { Column } from "./table.js";
import { inTone } from "./tones.js";

/** A row of a table: a resource, with what is known of its age. */
export interface TableRow {
  readonly row: Row<NamedMessage>;
  readonly nowMs: number;
  /** "14s" or "never" when the host it lives on is not heard: what is shown is that old. */
  readonly staleSince: string | undefined;
  /** What is known besides. */
  readonly fleet: Fleet;
}

/** How columns are chosen. */
export interface ColumnOptions {
  /** Keys of labels that have a column of their own. */
  readonly labelColumns: readonly string[];
  readonly anyStale: boolean;
  /** What cells are computed with; nothing of it tells what is stale: that is marked by itself. */
  readonly fleet: Fleet;
}

/** What has a column of its own here: names are written so that they can be copied, states so that what is old is marked. */
const ownIds: ReadonlySet<string> = new Set(["name", "host", "state", "labels"]);
/** Columns of less importance are for -o wide. */
const leastImportance = 4;

const name: Column<TableRow> = {
  title: "NAME",
  id: "name",
  rank: 0,
  shrinkTo: 20,
  cut: "middle",
  value: ({ row }) => shortName(row.name),
};

/** Shown only when a row is stale. */
const seen: Column<TableRow> = {
  title: "SEEN",
  id: "seen",
  rank: 0,
  value: ({ staleSince }) =>
    staleSince === undefined ? "now" : staleSince === "never" ? "never" : `${staleSince} ago`,
};

/** The columns of a kind, those that it has in the terminal interface: a table of both is described once. */
export function columnsOf(kind: Kind, options: ColumnOptions): readonly Column<TableRow>[] {
  const { labelColumns, anyStale, fleet } = options;
  const { columns, wideColumns = [], presence } = fleet.kinds.get(kind.singular);
  const state = columns.find(({ id }) => id === "state");
  const host = columns.find(({ id }) => id === "host");
  // Whether a host answers is known of the host itself.
  const isOwnAge = presence !== undefined;
  // What is measured is waited for.
  const isWide = ({ importance, figure }: TuiColumn): boolean => importance < leastImportance || figure !== undefined;
  const wide = [...columns.filter(isWide), ...wideColumns];
  const others = columns.filter(({ id }) => !ownIds.has(id));
  const labels = hasLabels(kind);
  return [
    name,
    // It stands in the name.
    ...(host === undefined ? [] : [{ ...plainColumn(host, fleet), shown: "asked" as const }]),
    ...(state === undefined ? [] : [stateColumn(state, fleet, isOwnAge)]),
    ...(isOwnAge ? [] : [anyStale ? seen : { ...seen, shown: "asked" as const }]),
    ...[...others, ...wideColumns].map((column): Column<TableRow> => {
      const plain = plainColumn(column, fleet);
      return wide.includes(column) ? { ...plain, shown: "wide" } : plain;
    }),
    ...(labels ? [...labelColumns.map(labelColumn), allLabels] : []),
  ];
}

/** The state in capitals; with a question mark when it may have changed since it was seen. */
function stateColumn(column: TuiColumn, fleet: Fleet, isOwnAge: boolean): Column<TableRow> {
  const isStale = ({ staleSince }: TableRow): boolean => staleSince !== undefined && !isOwnAge;
  return {
    title: column.title,
    id: column.id,
    rank: 0,
    value: (each) => {
      const context = { fleet, nowMs: each.nowMs };
      const word = column.searched?.(each.row, context) ?? column.cell(each.row, context).text;
      return `${word.toUpperCase()}${isStale(each) ? "?" : ""}`;
    },
    style: (each, text) => inTone(text, isStale(each) ? "dim" : cellOf(column, each, fleet).tone),
  };
}

function plainColumn(column: TuiColumn, fleet: Fleet): Column<TableRow> {
  const { id, title, importance, align, cut, min, figure } = column;
  return {
    title,
    id,
    rank: Math.max(1, 10 - importance),
    // Figures are never cut.
    ...(align === undefined
      ? { shrinkTo: column.spelled === undefined ? min : Math.max(min, spelledWidth) }
      : { align }),
    ...(cut === undefined ? {} : { cut }),
    ...(figure === undefined ? {} : { figure }),
    value: (each) => column.spelled?.(each.row) ?? cellOf(column, each, fleet).text,
    sortKey: (each) => {
      const context = { fleet, nowMs: each.nowMs };
      return (
        column.sortKey?.(each.row, context) ?? column.searched?.(each.row, context) ?? cellOf(column, each, fleet).text
      );
    },
    style: (each, text) => inTone(text, cellOf(column, each, fleet).tone),
  };
}

/** What is spelled out says nothing any more when it is cut. */
const spelledWidth = 11;

type TuiColumn = TuiKind["columns"][number];

function cellOf(column: KindColumn<Row>, { row, nowMs }: TableRow, fleet: Fleet): Cell {
  return column.cell(row, { fleet, nowMs });
}

/** Column with one label. */
function labelColumn(key: string): Column<TableRow> {
  return { title: key.toUpperCase(), rank: 1, shrinkTo: 10, value: ({ row }) => labelsOf(row)[key] ?? "" };
}

/** Column with all labels. */
const allLabels: Column<TableRow> = {
  title: "LABELS",
  id: "labels",
  rank: 9,
  shown: "wide",
  value: ({ row }) => labelText(labelsOf(row)),
};
