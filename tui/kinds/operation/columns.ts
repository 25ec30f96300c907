import { shortName } from "../../kit/resource-name.js";
import { formatTime } from "../../kit/format.js";
import type { RowOf } from "../../kit/row.js";
import { operationStyle, severityStyle } from "../../kit/states.js";
import { ageColumn, type Column, type TableColumns } from "../../kit/table/column.js";

type OperationRow = RowOf<"operations">;
type EventRow = RowOf<"events">;

const who = (caller: string) => caller.replace(/^zor:\/\//, "");

/** The table of operations, newest first. */
export const operationColumns: TableColumns<"operations"> = {
  columns: [
    {
      id: "verb",
      title: "OPERATION",
      importance: 10,
      min: 10,
      max: 24,
      sortLetter: "N",
      cell: (row) => ({ text: row.resource.verb, tone: "strong" }),
      searched: (row) => row.resource.verb,
    },
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
  ],
  sortBy: "age",
};

/** The table of events, newest first. */
export const eventColumns: TableColumns<"events"> = {
  columns: [
    {
      id: "time",
      title: "TIME",
      importance: 10,
      min: 8,
      max: 14,
      sortLetter: "T",
      cell: (row, context) => ({
        text: row.resource.time === undefined ? "-" : formatTime(row.resource.time, context.nowMs),
        tone: "dim",
      }),
      sortKey: (row) => -(row.resource.time?.getTime() ?? 0),
    },
    {
      id: "severity",
      title: "SEV",
      importance: 10,
      min: 9,
      max: 9,
      sortLetter: "S",
      cell: (row) => {
        const style = severityStyle(row.resource.severity);
        return { text: `${style.symbol} ${style.word}`, tone: style.tone };
      },
      sortKey: (row) => -row.resource.severity,
      searched: (row) => severityStyle(row.resource.severity).word,
    },
    {
      id: "type",
      title: "TYPE",
      importance: 8,
      min: 10,
      max: 26,
      sortLetter: "N",
      cell: (row) => ({ text: row.resource.type }),
      searched: (row) => row.resource.type,
    },
    {
      id: "resource",
      title: "RESOURCE",
      importance: 9,
      min: 10,
      max: 40,
      sortLetter: "R",
      cell: (row) => ({ text: shortName(row.resource.resource), tone: "strong" }),
      searched: (row) => row.resource.resource,
    },
    callerColumn<EventRow>((row) => row.resource.caller),
    {
      id: "message",
      title: "MESSAGE",
      importance: 10,
      min: 20,
      max: 200,
      grow: true,
      cell: (row) => {
        const { tone } = severityStyle(row.resource.severity);
        return { text: row.resource.message, ...(tone === "bad" ? { tone } : {}) };
      },
      searched: (row) => row.resource.message,
    },
  ],
  sortBy: "time",
};

function callerColumn<R>(callerOf: (row: R) => string): Column<R> {
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
