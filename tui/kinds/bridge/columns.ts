import type { Bridge } from "../../../proto/gen/zor/v1/bridge.js";
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
import { bridgeStyle, typeText } from "./states.js";

type BridgeRow = Row<Bridge>;

const styleOf = ({ resource }: BridgeRow) => bridgeStyle(resource.status?.state ?? 0);

/** The table of bridges; what people should know of a whole one is told where reasons are. */
export const bridgeColumns: readonly Column<BridgeRow>[] = [
  nameColumn(),
  hostColumn(),
  stateColumn(8, styleOf),
  textColumn({ id: "lan", title: "LAN", importance: 9, min: 5, max: 20 }, ({ spec }: Bridge) => spec?.lan || "-"),
  textColumn(
    { id: "bridge", title: "BRIDGE", importance: 9, min: 6, max: 15 },
    ({ spec }: Bridge) => spec?.bridge ?? "",
  ),
  textColumn({ id: "type", title: "TYPE", importance: 6, min: 5, max: 5 }, ({ status }: Bridge) =>
    typeText(status?.type),
  ),
  textColumn({ id: "dhcp-out", title: "DHCP-OUT", importance: 5, min: 8, max: 8 }, ({ spec }: Bridge) =>
    spec?.dhcpOut === true ? "passes" : "kept",
  ),
  ageColumn(
    { id: "age", title: "AGE", importance: 3, sortLetter: "A" },
    ({ resource }: BridgeRow) => resource.createTime,
  ),
  labelColumn(),
  reasonColumn(7, styleOf, ({ resource: { status } }: BridgeRow) => status?.reason || (status?.note ?? "")),
];
