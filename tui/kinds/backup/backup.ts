import { kindNamed } from "../../../lib/kinds/kinds.js";
import type { Backup } from "../../../proto/gen/zor/v1/backup.js";
import { genericKind } from "../../kit/generic-kind.js";
import type { TuiKind } from "../../kit/kind.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import { instanceColumn, keptSizeColumn } from "../../kit/table/columns.js";

const generic = genericKind(kindNamed("backup")) as TuiKind<Backup>;

const own: readonly Column<Row<Backup>>[] = [instanceColumn(), keptSizeColumn()];

/** What is kept of instances outside of them. */
export const backupKind: TuiKind<Backup> = {
  ...generic,
  columns: generic.columns.flatMap((column) => (column.id === "labels" ? [...own, column] : [column])),
  empty: "no backups; take one with: zor backup create HOST/INSTANCE NAME",
};
