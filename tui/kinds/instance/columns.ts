import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { formatBytes, formatMib } from "../../kit/format.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  wideColumn,
} from "../../kit/table/columns.js";
import { figureColumn } from "../../kit/table/figure-column.js";
import { heardOf, nicsOf } from "./nics.js";
import { instanceStyle, pendingText, restartText, stateOf } from "./states.js";

type InstanceRow = Row<Instance>;

const styleOf = (row: InstanceRow) => instanceStyle(stateOf(row.resource));

const driver: Column<InstanceRow> = {
  id: "driver",
  title: "DRIVER",
  importance: 6,
  min: 6,
  max: 10,
  sortLetter: "D",
  cell: (row) => ({ text: driverText(row) }),
  searched: driverText,
};

const cpus: Column<InstanceRow> = {
  id: "cpus",
  title: "CPUS",
  importance: 4,
  min: 4,
  max: 4,
  align: "right",
  sortLetter: "V",
  descending: true,
  cell: (row) => ({ text: `${row.resource.spec?.cpus ?? 0}` }),
  sortKey: (row) => row.resource.spec?.cpus ?? 0,
};

const memory: Column<InstanceRow> = {
  id: "memory",
  title: "MEM",
  importance: 5,
  min: 5,
  max: 5,
  align: "right",
  sortLetter: "M",
  descending: true,
  cell: (row) => ({ text: formatMib(row.resource.spec?.memoryMib ?? 0n) }),
  sortKey: (row) => Number(row.resource.spec?.memoryMib ?? 0n),
};

const cpu = figureColumn<InstanceRow>("instance", "cpu", {
  ...{ title: "CPU%", importance: 6, min: 5, sortLetter: "B" },
  text: (permille) => (permille / 10).toFixed(1),
});

const used = figureColumn<InstanceRow>("instance", "mem.used", {
  ...{ title: "USED", importance: 6, min: 6, sortLetter: "R" },
  text: (bytes, { resource }) => {
    const given = resource.spec?.memoryMib ?? 0n;
    return `${formatBytes(Math.round(bytes))}${given === 0n ? "" : `/${formatMib(given)}`}`;
  },
});

const lans: Column<InstanceRow> = {
  id: "lans",
  title: "LANS",
  importance: 8,
  min: 5,
  max: 36,
  sortLetter: "L",
  cell: (row) => ({ text: lanText(row) }),
  searched: lanText,
};

const address: Column<InstanceRow> = {
  id: "address",
  title: "ADDRESS",
  importance: 7,
  min: 9,
  max: 40,
  cell: (row) => ({ text: addressText(row) }),
  searched: addressText,
};

const pid: Column<InstanceRow> = {
  id: "pid",
  title: "PID",
  importance: 2,
  min: 7,
  max: 8,
  align: "right",
  cell: (row) => ({ text: row.resource.status?.pid ? `${row.resource.status.pid}` : "-", tone: "dim" }),
  searched: (row) => `${row.resource.status?.pid ?? ""}`,
};

/** The table of instances. */
export const instanceColumns: readonly Column<InstanceRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(13, styleOf),
  driver,
  ...(cpu === undefined ? [] : [cpu]),
  ...(used === undefined ? [] : [used]),
  cpus,
  memory,
  lans,
  address,
  ageColumn({ id: "up", title: "UP", importance: 6, sortLetter: "U" }, (row: InstanceRow) =>
    row.resource.status?.pid ? row.resource.status.startTime : undefined,
  ),
  ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, (row: InstanceRow) => row.resource.createTime),
  pid,
  labelColumn(),
  reasonColumn(7, styleOf, (row: InstanceRow) => remarkText(row)),
];

/** Only for where there is room without end. */
export const instanceWideColumns: readonly Column<InstanceRow>[] = [
  wideColumn("heard", "HEARD", ({ resource }: InstanceRow) =>
    nicsOf(resource)
      .flatMap(({ name }) => heardOf(resource, name))
      .join(","),
  ),
  wideColumn("exec", "EXEC", (row: InstanceRow) => (row.resource.status?.execReady === true ? "yes" : "no")),
];

function driverText(row: InstanceRow): string {
  const kind = row.resource.spec?.driver?.$case ?? "?";
  const accelerator = row.resource.status?.accelerator ?? "";
  return accelerator === "" ? kind : `${kind}/${accelerator}`;
}

/** Why it is so, what it waits for, and what waits for its next start. */
function remarkText({ resource: { status } }: InstanceRow): string {
  return [pendingText(status), restartText(status), status?.reason ?? ""].filter((text) => text !== "").join("; ");
}

function lanText(row: InstanceRow): string {
  return nicsOf(row.resource)
    .map((nic) => (nic.lan === "" ? "-" : nic.lan))
    .join(",");
}

function addressText(row: InstanceRow): string {
  return nicsOf(row.resource)
    .flatMap((nic) => (nic.addresses.length > 0 ? nic.addresses : heardOf(row.resource, nic.name)))
    .join(" ");
}
