import { type Phy, PhyMode, type PhySpec } from "../../../proto/gen/zor/v1/phy.js";
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
  wideColumn,
} from "../../kit/table/columns.js";
import { phyStyle } from "./states.js";

type PhyRow = Row<Phy>;

const styleOf = ({ resource }: PhyRow) => phyStyle(resource.status?.state ?? 0);

const modes: ReadonlyMap<PhyMode, string> = new Map([
  [PhyMode.PHY_MODE_ABSORB, "absorb"],
  [PhyMode.PHY_MODE_MACVLAN, "macvlan"],
  [PhyMode.PHY_MODE_VLAN, "vlan"],
]);

/** "absorb", "macvlan" or "vlan 10". */
export function modeText(spec: PhySpec | undefined): string {
  const mode = modes.get(spec?.mode ?? PhyMode.PHY_MODE_ABSORB) ?? "?";
  return spec?.mode === PhyMode.PHY_MODE_VLAN ? `${mode} ${spec.vlanId}` : mode;
}

/** The table of phys. */
export const phyColumns: readonly Column<PhyRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(10, styleOf),
  textColumn({ id: "lan", title: "LAN", importance: 9, min: 5, max: 20 }, ({ spec }: Phy) => spec?.lan || "-"),
  textColumn(
    { id: "device", title: "INTERFACE", importance: 9, min: 9, max: 15 },
    ({ spec }: Phy) => spec?.device ?? "",
  ),
  textColumn({ id: "mode", title: "MODE", importance: 8, min: 6, max: 10 }, ({ spec }: Phy) => modeText(spec)),
  ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, ({ resource }: PhyRow) => resource.createTime),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource }: PhyRow) => resource.status?.reason ?? ""),
];

/** Only for where there is room without end. */
export const phyWideColumns: readonly Column<PhyRow>[] = [
  wideColumn("mac", "MAC", ({ resource }: PhyRow) => resource.status?.mac || "-"),
  wideColumn("mtu", "MTU", ({ resource }: PhyRow) => String(resource.status?.mtu || "-")),
];
