import type { Expose } from "../../../proto/gen/zor/v1/expose.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  callerColumn,
  countColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  textColumn,
  wideColumn,
} from "../../kit/table/columns.js";
import { serverText } from "./server-text.js";
import { exposeStyle } from "./states.js";

type ExposeRow = Row<Expose>;

const styleOf = ({ resource }: ExposeRow) => exposeStyle(resource.status?.state ?? 0);

/** The table of exposes. */
export const exposeColumns: readonly Column<ExposeRow>[] = [
  nameColumn(),
  stateColumn(10, styleOf),
  textColumn(
    { id: "listen", title: "LISTEN", importance: 9, min: 14, max: 21 },
    ({ status }: Expose) => status?.listen ?? "",
  ),
  textColumn({ id: "server", title: "SERVER", importance: 9, min: 12, max: 40 }, serverText),
  countColumn<ExposeRow>(
    { id: "connections", title: "NOW", importance: 8, sortLetter: "O" },
    ({ resource }) => resource.status?.connections ?? 0,
  ),
  countColumn<ExposeRow>(
    { id: "total", title: "TOTAL", importance: 6, sortLetter: "T" },
    ({ resource }) => resource.status?.totalConnections ?? 0n,
  ),
  countColumn<ExposeRow>(
    { id: "in", title: "IN", importance: 5, base: 1024 },
    ({ resource }) => resource.status?.bytesIn ?? 0n,
  ),
  countColumn<ExposeRow>(
    { id: "out", title: "OUT", importance: 5, base: 1024 },
    ({ resource }) => resource.status?.bytesOut ?? 0n,
  ),
  callerColumn(({ resource }: ExposeRow) => resource.status?.creator ?? ""),
  ageColumn(
    { id: "age", title: "AGE", importance: 3, sortLetter: "A" },
    ({ resource }: ExposeRow) => resource.createTime,
  ),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource }: ExposeRow) => resource.status?.reason ?? ""),
];

/** Only for where there is room without end. */
export const exposeWideColumns: readonly Column<ExposeRow>[] = [
  wideColumn("failed", "FAILED", ({ resource }: ExposeRow) => `${resource.status?.failedConnections ?? 0n}`),
  wideColumn("refused", "REFUSED", ({ resource }: ExposeRow) => `${resource.status?.refusedConnections ?? 0n}`),
];
