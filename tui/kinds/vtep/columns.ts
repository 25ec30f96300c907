import type { Vtep } from "../../../proto/gen/zor/v1/vtep.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  ageColumn,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateColumn,
  textColumn,
} from "../../kit/table/columns.js";
import { vtepStyle } from "./states.js";

type VtepRow = Row<Vtep>;

const styleOf = ({ resource }: VtepRow) => vtepStyle(resource.status?.state ?? 0);

/** The table of vteps; what people should know of a whole one is told where reasons are. */
export const vtepColumns: readonly Column<VtepRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(11, styleOf),
  textColumn({ id: "lan", title: "LAN", importance: 9, min: 5, max: 20 }, ({ spec }: Vtep) => spec?.lan || "-"),
  textColumn({ id: "remote", title: "REMOTE", importance: 9, min: 7, max: 39 }, ({ spec }: Vtep) => spec?.remote ?? ""),
  textColumn({ id: "vni", title: "VNI", importance: 8, min: 3, max: 8 }, ({ spec }: Vtep) => String(spec?.vni ?? "")),
  {
    ...{ id: "encryption", title: "ENCRYPTION", importance: 9, min: 10, max: 10 },
    cell: () => ({ text: "!PLAIN", tone: "warn" }),
    spelled: () => "UNENCRYPTED",
    searched: () => "none",
  },
  ageColumn({ id: "heard", title: "HEARD", importance: 6 }, ({ resource }: VtepRow) => resource.status?.heardTime),
  ageColumn(
    { id: "age", title: "AGE", importance: 3, sortLetter: "A" },
    ({ resource }: VtepRow) => resource.createTime,
  ),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource: { status } }: VtepRow) => status?.reason || (status?.note ?? "")),
];
