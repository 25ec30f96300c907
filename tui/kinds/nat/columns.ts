import type { Nat } from "../../../proto/gen/zor/v1/nat.js";
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
import { forwardText } from "./forward-text.js";
import { natStyle } from "./states.js";

type NatRow = Row<Nat>;

const styleOf = ({ resource }: NatRow) => natStyle(resource.status?.state ?? 0);

/** The table of nats. */
export const natColumns: readonly Column<NatRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(8, styleOf),
  textColumn({ id: "lan", title: "LAN", importance: 9, min: 5, max: 20 }, ({ spec }: Nat) => spec?.lan || "-"),
  textColumn({ id: "subnet", title: "SUBNET", importance: 9, min: 12, max: 18 }, ({ spec }: Nat) => spec?.subnet ?? ""),
  textColumn(
    { id: "gateway", title: "GATEWAY", importance: 5, min: 9, max: 15 },
    ({ status }: Nat) => status?.gateway ?? "",
  ),
  countColumn<NatRow>(
    { id: "leases", title: "LEASES", importance: 8, sortLetter: "L" },
    ({ resource }) => resource.status?.leaseCount ?? 0,
  ),
  countColumn<NatRow>(
    { id: "forwards", title: "FORWARDS", importance: 7, sortLetter: "F" },
    ({ resource }) => resource.spec?.forwards.length ?? 0,
  ),
  ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, ({ resource }: NatRow) => resource.createTime),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource }: NatRow) => resource.status?.reason ?? ""),
];

/** Only for where there is room without end. */
export const natWideColumns: readonly Column<NatRow>[] = [
  wideColumn("subnet6", "SUBNET6", ({ resource }: NatRow) => resource.spec?.subnet6 ?? ""),
  wideColumn("domain", "DOMAIN", ({ resource }: NatRow) => resource.spec?.domain ?? ""),
  wideColumn("forwarded", "FORWARDED", ({ resource }: NatRow) =>
    (resource.spec?.forwards ?? []).map(forwardText).join(","),
  ),
];
