import type { Bridge } from "../../../proto/gen/zor/v1/bridge.js";
import { BridgeServiceService } from "../../../proto/gen/zor/v1/bridge_service.js";
import { deletes, deletesBy } from "../../kit/action.js";
import { field } from "../../kit/describe/line.js";
import type { TuiKind } from "../../kit/kind.js";
import { portText } from "../../kit/port-text.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { bridgeColumns } from "./columns.js";
import { bridgeStyle, typeText } from "./states.js";
import { bridgeMap } from "./map.js";

/** Bridges of hosts that lans are joined with. */
export const bridgeKind: TuiKind<Bridge> = {
  kind: "bridge",
  columns: bridgeColumns,
  sortBy: "host",
  empty: "no bridges; join a lan with one that a host has already with: zor create bridge",
  counted: { short: "bridges", rank: 3 },
  actions: [
    {
      ...deletes,
      effect: ({ resource: { spec }, host }) =>
        `its port is taken out of ${spec?.bridge ?? ""} of ${host}, which stays`,
      ...deletesBy(BridgeServiceService.deleteBridge),
    },
  ],
  stateAt: ["status", "state"],
  styleOf: bridgeStyle,
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    return [
      field("state", stateCell(row, bridgeStyle(status?.state), context)),
      field("reason", { text: status?.reason ?? "", tone: "bad" }),
      field("note", { text: status?.note ?? "", tone: "warn" }),
      field("host", row.host),
      field("lan", spec?.lan || "none"),
      field("port", [status?.port ?? "", portText(spec?.portSettings)].filter((part) => part !== "").join(", ")),
      field("bridge", [spec?.bridge ?? "", typeText(status?.type)].join(", ")),
      field("interface", status?.device),
      field("mtu", status?.mtu === 0 ? "" : String(status?.mtu ?? "")),
      field("dhcp out", spec?.dhcpOut === true ? "servers of the lan are heard in the bridge" : "kept in the lan"),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
    ];
  },
  commands: async () => (await import("./flags.js")).bridgeCommands,
  map: bridgeMap,
};
