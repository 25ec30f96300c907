import type { TableKind } from "../resource.js";
import { a2bColumns } from "./a2bs.js";
import type { Column } from "./column.js";
import { hostColumns } from "./hosts.js";
import { instanceColumns } from "./instances.js";
import { lanColumns, portColumns } from "./lans.js";
import { linkColumns } from "./links.js";
import { eventColumns, operationColumns } from "./records.js";

/** How a kind of table looks. */
export interface TableLook {
  readonly columns: readonly Column[];
  readonly sortBy: string;
}

const looks: Readonly<Record<TableKind, TableLook>> = {
  hosts: hostColumns,
  instances: instanceColumns,
  lans: lanColumns,
  ports: portColumns,
  links: linkColumns,
  operations: operationColumns,
  events: eventColumns,
  a2bs: a2bColumns,
};

/** The columns of a kind of table. */
export function lookOf(kind: TableKind): TableLook {
  return looks[kind];
}
