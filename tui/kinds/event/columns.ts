import type { Event } from "../../../proto/gen/zor/v1/event.js";
import { formatTime } from "../../kit/format.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import { callerColumn, textColumn } from "../../kit/table/columns.js";
import { severityStyle } from "./states.js";

type EventRow = Row<Event>;

/** The table of events, newest first. */
export const eventColumns: readonly Column<EventRow>[] = [
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
    descending: true,
    sortKey: (row) => row.resource.time?.getTime() ?? 0,
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
    descending: true,
    sortKey: (row) => row.resource.severity,
    searched: (row) => severityStyle(row.resource.severity).word,
  },
  textColumn({ id: "type", title: "TYPE", importance: 8, min: 10, max: 26, sortLetter: "N" }, ({ type }) => type),
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
];
