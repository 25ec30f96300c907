import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import type { ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";
import { droppedOf } from "../../kit/impairment-text.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  countColumn,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  wideColumn,
} from "../../kit/table/columns.js";
import { inForce } from "../../kit/describe/impairment-lines.js";
import { impairmentColumn } from "../../kit/table/impairment-column.js";
import { a2bStyle } from "./states.js";

type A2bRow = Row<A2b>;

const styleOf = (row: A2bRow) => a2bStyle(row.resource.status?.state);
const lansOf = (row: A2bRow) => `${row.resource.spec?.lanA ?? ""},${row.resource.spec?.lanB ?? ""}`;
const reasonOf = (row: A2bRow) => row.resource.status?.reason ?? "";

/** Frames of both ways. */
const both =
  (amountOf: (stats: ImpairmentStats) => bigint) =>
  ({ resource: { status } }: A2bRow): bigint =>
    (status?.aToB === undefined ? 0n : amountOf(status.aToB)) +
    (status?.bToA === undefined ? 0n : amountOf(status.bToA));

/** The table of in-line boxes. */
export const a2bColumns: readonly Column<A2bRow>[] = [
  nameColumn({ min: 6 }),
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
  impairmentColumn({ id: "atob", title: "A→B", importance: 9 }, ({ resource }: A2bRow) => inForce(resource, "aToB")),
  impairmentColumn({ id: "btoa", title: "B→A", importance: 9 }, ({ resource }: A2bRow) => inForce(resource, "bToA")),
  countColumn(
    { id: "frames", title: "FRAMES", importance: 6, sortLetter: "F" },
    both(({ inFrames }) => inFrames),
  ),
  countColumn(
    { id: "lost", title: "LOST", importance: 4, sortLetter: "O" },
    both(({ lostFrames }) => lostFrames),
  ),
  countColumn({ id: "drops", title: "DROPS", importance: 6, sortLetter: "X", warns: true }, both(droppedOf)),
  ageColumn({ id: "since", title: "FOR", importance: 5 }, (row: A2bRow) => row.resource.status?.sinceTime),
  ageColumn({ id: "age", title: "AGE", importance: 2, sortLetter: "A" }, (row: A2bRow) => row.resource.createTime),
  labelColumn(),
  // What a box does matters more than room for why it does not: that is said below the table in any case.
  reasonColumn(6, styleOf, reasonOf),
];

/** Only for where there is room without end. */
export const a2bWideColumns: readonly Column<A2bRow>[] = [
  wideColumn("seed", "SEED", (row: A2bRow) => String(row.resource.status?.seed ?? "")),
  wideColumn("steps", "STEPS", (row: A2bRow) => String(row.resource.spec?.schedule.length ?? 0)),
];
