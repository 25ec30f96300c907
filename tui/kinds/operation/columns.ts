import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import { ageColumn, callerColumn, textColumn } from "../../kit/table/columns.js";
import { operationStyle } from "./states.js";

type OperationRow = Row<Operation>;

/** The table of operations, newest first. */
export const operationColumns: readonly Column<OperationRow>[] = [
  textColumn(
    { id: "verb", title: "OPERATION", importance: 10, min: 10, max: 24, sortLetter: "N", tone: "strong" },
    ({ verb }) => verb,
  ),
  {
    id: "target",
    title: "TARGET",
    importance: 10,
    min: 10,
    max: 48,
    cut: "middle",
    sortLetter: "T",
    cell: (row) => ({ text: shortName(row.resource.target) }),
    searched: (row) => row.resource.target,
  },
  {
    id: "state",
    title: "STATE",
    importance: 10,
    min: 11,
    max: 12,
    sortLetter: "S",
    cell: (row) => {
      const style = operationStyle(row.resource.state);
      return { text: `${style.symbol} ${style.word}`, tone: style.tone };
    },
    searched: (row) => operationStyle(row.resource.state).word,
  },
  {
    id: "done",
    title: "DONE",
    importance: 8,
    min: 4,
    max: 5,
    align: "right",
    cell: (row) => ({ text: `${row.resource.progressPercent}%` }),
    sortKey: (row) => row.resource.progressPercent,
  },
  ageColumn(
    { id: "age", title: "AGE", importance: 7, sortLetter: "A" },
    (row: OperationRow) => row.resource.createTime,
  ),
  callerColumn<OperationRow>((row) => row.resource.caller),
  {
    id: "step",
    title: "STEP",
    importance: 9,
    min: 10,
    max: 80,
    grow: true,
    cell: (row) =>
      row.resource.error === undefined || row.resource.error.message === ""
        ? { text: row.resource.step }
        : { text: row.resource.error.message, tone: "bad" },
    searched: (row) => `${row.resource.step} ${row.resource.error?.message ?? ""}`,
  },
  {
    id: "id",
    title: "ID",
    importance: 1,
    min: 36,
    max: 36,
    cell: (row) => ({ text: idOf(row.resource.name) }),
    searched: (row) => row.resource.name,
  },
];
