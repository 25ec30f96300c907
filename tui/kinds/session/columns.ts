import type { Session } from "../../../proto/gen/zor/v1/session.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import { ageColumn, textColumn } from "../../kit/table/columns.js";
import { ownerText, placeText } from "./words.js";

type SessionRow = Row<Session>;

/** The table of sessions, newest first. */
export const sessionColumns: readonly Column<SessionRow>[] = [
  textColumn({ id: "who", title: "WHO", importance: 10, min: 8, max: 24, sortLetter: "N", tone: "strong" }, ownerText),
  {
    id: "target",
    title: "AT",
    importance: 10,
    min: 8,
    max: 40,
    cut: "middle",
    sortLetter: "T",
    cell: ({ resource }) => ({ text: shortName(resource.target) }),
    searched: ({ resource }) => resource.target,
  },
  textColumn({ id: "place", title: "WHAT", importance: 9, min: 8, max: 32, grow: true, sortLetter: "P" }, placeText),
  textColumn({ id: "how", title: "HOW", importance: 7, min: 5, max: 5 }, ({ writable }) =>
    writable ? "types" : "looks",
  ),
  ageColumn({ id: "age", title: "AGE", importance: 8, sortLetter: "A" }, (row: SessionRow) => row.resource.createTime),
  textColumn({ id: "from", title: "FROM", importance: 5, min: 12, max: 48, tone: "dim" }, ({ origin }) => origin),
  {
    id: "id",
    title: "ID",
    importance: 4,
    min: 10,
    max: 10,
    cell: ({ name }) => ({ text: idOf(name), tone: "dim" }),
    searched: ({ name }) => name,
  },
];
