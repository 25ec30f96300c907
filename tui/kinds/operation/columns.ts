import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import { formatAge } from "../../kit/format.js";
import { ageColumn, callerColumn, textColumn } from "../../kit/table/columns.js";
import { progressBar } from "./progress-bar.js";
import { isRunning, operationStyle } from "./states.js";
import { stalledFor } from "./trouble.js";

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
    max: 18,
    sortLetter: "S",
    cell: (row, context) => {
      const silentMs = stalledFor(row.resource, context);
      if (silentMs !== undefined) return { text: `! stalled ${formatAge(silentMs)}`, tone: "warn" };
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
    max: 16,
    align: "right",
    cell: ({ resource: { progressPercent, state } }) => ({
      // Cut at its end where there is little room, it is the bare number.
      text: isRunning(state) ? `${progressPercent}% ${progressBar(progressPercent)}` : `${progressPercent}%`,
    }),
    spelled: (row) => `${row.resource.progressPercent}%`,
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
