import type { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { formatMib } from "../../client/format.js";
import type { RowOf } from "../../kit/row.js";
import { instanceStyle } from "../../kit/states.js";
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

type InstanceRow = RowOf<"instances">;

const styleOf = (row: InstanceRow) => instanceStyle(row.resource.status?.state ?? 0);

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
  title: "CPU",
  importance: 5,
  min: 3,
  max: 4,
  align: "right",
  sortLetter: "C",
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
export const instanceColumns: TableColumns<"instances"> = {
  columns: [
    nameColumn(),
    hostColumn(),
    stateColumn(13, styleOf),
    driver,
    cpus,
    memory,
    lans,
    address,
    ageColumn({ id: "up", title: "UP", importance: 6, sortLetter: "U" }, (row: InstanceRow) =>
      row.resource.status?.pid ? row.resource.status.startTime : undefined,
    ),
    ageColumn(
      { id: "age", title: "AGE", importance: 3, sortLetter: "A" },
      (row: InstanceRow) => row.resource.createTime,
    ),
    pid,
    labelColumn(),
    reasonColumn(7, styleOf, (row: InstanceRow) => row.resource.status?.reason ?? ""),
  ],
  sortBy: "host",
};

/** Interfaces as plugged now; before the first observation as specified. */
export function nicsOf(row: InstanceRow): readonly Nic[] {
  const observed = row.resource.status?.nics ?? [];
  return observed.length > 0 ? observed : (row.resource.spec?.nics ?? []);
}

function driverText(row: InstanceRow): string {
  const kind = row.resource.spec?.driver?.$case ?? "?";
  const accelerator = row.resource.status?.accelerator ?? "";
  return accelerator === "" ? kind : `${kind}/${accelerator}`;
}

function lanText(row: InstanceRow): string {
  return nicsOf(row)
    .map((nic) => (nic.lan === "" ? "-" : nic.lan))
    .join(",");
}

function addressText(row: InstanceRow): string {
  return nicsOf(row)
    .flatMap((nic) => nic.addresses)
    .join(" ");
}
