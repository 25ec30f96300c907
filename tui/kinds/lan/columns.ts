import type { Lan, LanPort } from "../../../proto/gen/zor/v1/lan.js";
import { shortName } from "../../kit/resource-name.js";
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
  textColumn,
  wideColumn,
} from "../../kit/table/columns.js";
import { controllerWord } from "./outlet-text.js";
import { lanStyle } from "./states.js";

type LanRow = Row<Lan>;

const sum = (row: LanRow, amountOf: (port: LanPort) => bigint) =>
  (row.resource.status?.ports ?? []).reduce((total, port) => total + amountOf(port), 0n);

const styleOf = (row: LanRow) => lanStyle(row.resource);

/** The table of lans. */
export const lanColumns: readonly Column<LanRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(10, styleOf),
  countColumn<LanRow>(
    { id: "ports", title: "PORTS", importance: 9, sortLetter: "P" },
    (row) => row.resource.status?.ports.length ?? 0,
  ),
  countColumn<LanRow>(
    { id: "links", title: "LINKS", importance: 7 },
    (row) => row.resource.status?.ports.filter((port) => port.endpoint.startsWith("links/")).length ?? 0,
  ),
  {
    id: "mtu",
    title: "MTU",
    importance: 6,
    min: 5,
    max: 5,
    align: "right",
    cell: (row) => ({ text: `${row.resource.spec?.mtu || "-"}` }),
    searched: (row) => `${row.resource.spec?.mtu ?? ""}`,
  },
  textColumn(
    { id: "datapath", title: "DATAPATH", importance: 4, min: 8, max: 9 },
    ({ status }) => status?.datapath ?? "",
  ),
  textColumn({ id: "rstp", title: "RSTP", importance: 2, min: 4, max: 4, tone: "dim" }, ({ spec }) =>
    spec?.rstp === true ? "on" : "off",
  ),
  countColumn<LanRow>({ id: "traffic", title: "BYTES", importance: 5, sortLetter: "B", base: 1024 }, (row) =>
    sum(row, (port) => port.rxBytes),
  ),
  countColumn<LanRow>({ id: "drops", title: "DROPS", importance: 5, sortLetter: "X", warns: true }, (row) =>
    sum(row, (port) => port.droppedFrames),
  ),
  ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, (row: LanRow) => row.resource.createTime),
  labelColumn(),
  reasonColumn(7, styleOf, (row: LanRow) => row.resource.status?.reason ?? ""),
];

/** Only for where there is room without end. */
export const lanWideColumns: readonly Column<LanRow>[] = [
  wideColumn("controller", "CONTROLLER", (row: LanRow) => controllerWord(row.resource)),
  wideColumn("endpoints", "ENDPOINTS", (row: LanRow) =>
    (row.resource.status?.ports ?? []).map(({ endpoint }) => shortName(endpoint)).join(","),
  ),
];
