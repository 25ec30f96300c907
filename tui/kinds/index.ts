import type { TableKind } from "../kit/row.js";
import { a2bColumns } from "./a2b/columns.js";
import type { Column } from "../kit/table/column.js";
import { hostColumns } from "./host/columns.js";
import { instanceColumns } from "./instance/columns.js";
import { lanColumns, portColumns } from "./lan/columns.js";
import { linkColumns } from "./link/columns.js";
import { eventColumns, operationColumns } from "./operation/columns.js";

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
