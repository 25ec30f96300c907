import type { Impairment, ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";
import { formatCount } from "../../kit/format.js";
import { impairmentText } from "../../kit/impairment-text.js";
import type { RowOf } from "../../kit/row.js";
import { a2bStyle } from "../../kit/states.js";
import {
  ageColumn,
  type Column,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  type TableColumns,
} from "../../kit/table/column.js";

type A2bRow = RowOf<"a2bs">;
type Way = "aToB" | "bToA";

const styleOf = (row: A2bRow) => a2bStyle(row.resource.status?.state ?? 0);
const lansOf = (row: A2bRow) => `${row.resource.spec?.lanA ?? ""},${row.resource.spec?.lanB ?? ""}`;
const reasonOf = (row: A2bRow) => row.resource.status?.reason ?? "";

function impairment(way: Way, title: string): Column<A2bRow> {
  const textOf = (row: A2bRow) => impairmentText(inForce(row, way));
  return {
    id: way.toLowerCase(),
    title,
    importance: 9,
    min: 10,
    max: 40,
    cell: (row) => {
      const text = textOf(row);
      return { text, tone: text === "DOWN" ? "bad" : text === "-" ? "dim" : "plain" };
    },
    searched: textOf,
  };
}

function count(
  options: Pick<Column<A2bRow>, "id" | "title" | "importance"> & { readonly sortLetter: string },
  amountOf: (stats: ImpairmentStats) => bigint,
): Column<A2bRow> {
  const totalOf = ({ resource: { status } }: A2bRow) =>
    (status?.aToB === undefined ? 0n : amountOf(status.aToB)) +
    (status?.bToA === undefined ? 0n : amountOf(status.bToA));
  return {
    ...options,
    min: 6,
    max: 6,
    align: "right",
    descending: true,
    cell: (row) => ({
      text: formatCount(totalOf(row)),
      ...(options.id === "drops" && totalOf(row) > 0n ? { tone: "warn" } : {}),
    }),
    sortKey: (row) => Number(totalOf(row)),
  };
}

/** The table of in-line boxes. */
export const a2bColumns: TableColumns<"a2bs"> = {
  columns: [
    { ...nameColumn<"a2bs">(), min: 6 },
    hostColumn(),
    stateColumn(8, styleOf),
    {
      id: "lans",
      title: "LANS",
      importance: 9,
      min: 9,
      max: 40,
      sortLetter: "L",
      cell: (row) => ({ text: lansOf(row) }),
      searched: lansOf,
    },
    impairment("aToB", "A→B"),
    impairment("bToA", "B→A"),
    count({ id: "frames", title: "FRAMES", importance: 6, sortLetter: "F" }, (stats) => stats.inFrames),
    count({ id: "lost", title: "LOST", importance: 4, sortLetter: "O" }, (stats) => stats.lostFrames),
    count({ id: "drops", title: "DROPS", importance: 6, sortLetter: "X" }, droppedOf),
    ageColumn({ id: "since", title: "FOR", importance: 5 }, (row: A2bRow) => row.resource.status?.sinceTime),
    ageColumn({ id: "age", title: "AGE", importance: 2, sortLetter: "A" }, (row: A2bRow) => row.resource.createTime),
    labelColumn(),
    // What a box does matters more than room for why it does not: that is said below the table in any case.
    reasonColumn(6, styleOf, reasonOf),
  ],
  sortBy: "host",
};

/** What happens to frames of one direction now, schedule applied; before the first observation what is specified. */
export function inForce({ resource: { spec, status } }: A2bRow, way: Way): Impairment | undefined {
  const current = way === "aToB" ? status?.currentAToB : status?.currentBToA;
  return current ?? spec?.[way];
}

/** Frames dropped, but for those lost on purpose. */
export function droppedOf(stats: ImpairmentStats): bigint {
  return stats.droppedQueueFrames + stats.droppedDownFrames + stats.droppedPortFrames;
}
