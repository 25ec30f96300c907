import type { LanPort } from "../../../proto/gen/zor/v1/lan.js";
import { shortName } from "../../kit/resource-name.js";
import { formatCount } from "../../kit/format.js";
import type { RowOf } from "../../kit/row.js";
import type { StateStyle } from "../../kit/states.js";
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

type LanRow = RowOf<"lans">;
type PortRow = RowOf<"ports">;

/** A lan has no state of its own: it works unless it says why not. */
export function lanStyle(row: LanRow): StateStyle {
  return row.resource.status?.reason
    ? { symbol: "✗", word: "failed", tone: "bad" }
    : { symbol: "●", word: "up", tone: "good" };
}

function count<R>(
  options: Pick<Column<R>, "id" | "title" | "importance" | "sortLetter">,
  amountOf: (row: R) => number | bigint,
  base: 1000 | 1024 = 1000,
): Column<R> {
  return {
    ...options,
    min: Math.max(5, options.title.length),
    max: Math.max(6, options.title.length),
    align: "right",
    descending: true,
    cell: (row) => ({ text: formatCount(amountOf(row), base) }),
    sortKey: (row) => Number(amountOf(row)),
  };
}

const sum = (row: LanRow, amountOf: (port: LanPort) => bigint) =>
  (row.resource.status?.ports ?? []).reduce((total, port) => total + amountOf(port), 0n);

function drops<R>(importance: number, amountOf: (row: R) => bigint): Column<R> {
  const base = count<R>({ id: "drops", title: "DROPS", importance, sortLetter: "X" }, amountOf);
  return {
    ...base,
    cell: (row) => {
      const value = amountOf(row);
      return { text: formatCount(value), ...(value > 0n ? { tone: "warn" } : {}) };
    },
  };
}

/** The table of lans. */
export const lanColumns: TableColumns<"lans"> = {
  columns: [
    nameColumn(),
    hostColumn(),
    stateColumn(10, lanStyle),
    count<LanRow>(
      { id: "ports", title: "PORTS", importance: 9, sortLetter: "P" },
      (row) => row.resource.status?.ports.length ?? 0,
    ),
    count<LanRow>(
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
    {
      id: "datapath",
      title: "DATAPATH",
      importance: 4,
      min: 8,
      max: 9,
      cell: (row) => ({ text: row.resource.status?.datapath ?? "" }),
      searched: (row) => row.resource.status?.datapath ?? "",
    },
    {
      id: "rstp",
      title: "RSTP",
      importance: 2,
      min: 4,
      max: 4,
      cell: (row) => ({ text: row.resource.spec?.rstp === true ? "on" : "off", tone: "dim" }),
      searched: (row) => (row.resource.spec?.rstp === true ? "on" : "off"),
    },
    count<LanRow>(
      { id: "traffic", title: "BYTES", importance: 5, sortLetter: "B" },
      (row) => sum(row, (p) => p.rxBytes),
      1024,
    ),
    drops<LanRow>(5, (row) => sum(row, (port) => port.droppedFrames)),
    ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, (row: LanRow) => row.resource.createTime),
    labelColumn(),
    reasonColumn(7, lanStyle, (row: LanRow) => row.resource.status?.reason ?? ""),
  ],
  sortBy: "host",
};

/** The table of a lan's ports. */
export const portColumns: TableColumns<"ports"> = {
  columns: [
    {
      id: "name",
      title: "ENDPOINT",
      importance: 10,
      min: 20,
      max: 60,
      cut: "middle",
      sortLetter: "N",
      cell: (row) => ({ text: shortName(row.resource.endpoint), tone: "strong" }),
      searched: (row) => row.resource.endpoint,
    },
    {
      id: "kind",
      title: "KIND",
      importance: 9,
      min: 8,
      max: 8,
      cell: (row) => ({ text: endpointKind(row) }),
      searched: endpointKind,
    },
    {
      id: "port",
      title: "PORT",
      importance: 6,
      min: 10,
      max: 18,
      grow: true,
      cell: (row) => ({ text: row.resource.port, tone: "dim" }),
      searched: (row) => row.resource.port,
    },
    count<PortRow>({ id: "in", title: "FRAMES IN", importance: 8, sortLetter: "I" }, (row) => row.resource.rxFrames),
    count<PortRow>({ id: "inbytes", title: "BYTES IN", importance: 7 }, (row) => row.resource.rxBytes, 1024),
    count<PortRow>({ id: "out", title: "FRAMES OUT", importance: 8, sortLetter: "O" }, (row) => row.resource.txFrames),
    count<PortRow>({ id: "outbytes", title: "BYTES OUT", importance: 7 }, (row) => row.resource.txBytes, 1024),
    drops<PortRow>(8, (row) => row.resource.droppedFrames),
  ],
  sortBy: "name",
};

function endpointKind(row: PortRow): string {
  const { endpoint } = row.resource;
  if (endpoint.startsWith("links/")) return "link";
  return endpoint.includes("/a2bs/") ? "a2b" : "nic";
}
