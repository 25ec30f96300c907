import type { Snapshot } from "../../../proto/gen/zor/v1/snapshot.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  hostColumn,
  instanceColumn,
  keptSizeColumn,
  labelColumn,
  stateColumn,
  textColumn,
} from "../../kit/table/columns.js";
import { snapshotStyle } from "./states.js";
import { treeKey, treeText } from "./tree.js";

type SnapshotRow = Row<Snapshot>;

/** What a snapshot keeps. */
export function kindOfSnapshot({ spec, status }: Snapshot): string {
  if (spec?.memory === true) return "memory";
  return status?.consistent === false ? "disks, not frozen" : "disks";
}

/** The table of snapshots: a tree below each instance. */
export const snapshotColumns: readonly Column<SnapshotRow>[] = [
  {
    id: "tree",
    title: "SNAPSHOT",
    importance: 10,
    min: 10,
    max: 48,
    sortLetter: "N",
    cell: (row) => ({ text: treeText(row.id, row.resource), tone: "strong" }),
    sortKey: (row) => treeKey(row.resource),
    searched: (row) => row.id,
  },
  hostColumn(),
  instanceColumn(),
  {
    id: "current",
    title: "NOW",
    importance: 9,
    min: 3,
    max: 3,
    cell: (row) => ({ text: row.resource.status?.current === true ? "*" : "", tone: "accent" }),
  },
  stateColumn(10, (row: SnapshotRow) => snapshotStyle(row.resource.status?.state)),
  textColumn({ id: "keeps", title: "KEEPS", importance: 7, min: 6, max: 17 }, kindOfSnapshot),
  keptSizeColumn(),
  ageColumn({ id: "age", title: "AGE", importance: 7, sortLetter: "A" }, (row: SnapshotRow) => row.resource.createTime),
  labelColumn(),
  textColumn(
    { id: "description", title: "DESCRIPTION", importance: 8, min: 6, max: 60, grow: true },
    ({ spec }) => spec?.description ?? "",
  ),
];
