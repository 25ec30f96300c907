import { type Phy, PhyMode } from "../../../proto/gen/zor/v1/phy.js";
import { PhyServiceService } from "../../../proto/gen/zor/v1/phy_service.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";
import { field } from "../../kit/describe/line.js";
import type { TuiKind } from "../../kit/kind.js";
import { portText } from "../../kit/port-text.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { modeText, phyColumns, phyWideColumns } from "./columns.js";
import { phyStyle } from "./states.js";
import { phyMap } from "./map.js";

/** Says that the host is still reached. */
const confirms: Action<Phy> = {
  verb: "confirm",
  keys: ["K"],
  title: "confirm that the host is still reached: the interface stays in its lan",
  hint: "confirm",
  whyNot: ({ resource }) => (resource.status?.confirmByTime === undefined ? "it has not to be confirmed" : undefined),
  effect: ({ resource: { spec } }) => `${spec?.device ?? ""} stays in lan ${spec?.lan ?? ""}`,
  isDone: (_, { resource }) => resource.status?.confirmByTime === undefined,
  run: async (_, { connection, request, options }) => {
    await connection.unary(PhyServiceService.confirmPhy, request, options);
    return undefined;
  },
};

/** Interfaces of the host, such as network cards, that are in lans. */
export const phyKind: TuiKind<Phy> = {
  kind: "phy",
  columns: phyColumns,
  wideColumns: phyWideColumns,
  sortBy: "host",
  empty: "no phys; put a network card of a host into a lan with: zor create phy",
  counted: { short: "phys", rank: 3 },
  actions: [
    confirms,
    {
      ...deletes,
      effect: ({ resource: { spec }, host }) =>
        spec?.mode === PhyMode.PHY_MODE_ABSORB
          ? `${host} has interface ${spec.device} again, as it was found`
          : `what stands on ${spec?.device ?? ""} of ${host} is removed`,
      ...deletesBy(PhyServiceService.deletePhy),
    },
  ],
  stateAt: ["status", "state"],
  styleOf: phyStyle,
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    const until = status?.confirmByTime?.toISOString();
    return [
      field("state", stateCell(row, phyStyle(status?.state), context)),
      field("reason", { text: status?.reason ?? "", tone: "bad" }),
      field("confirm by", until === undefined ? "" : `${until}, or it is given back: zor confirm phy`),
      field("host", row.host),
      field("lan", spec?.lan || "none"),
      field("port", [status?.port ?? "", portText(spec?.portSettings)].filter((part) => part !== "").join(", ")),
      field("interface", spec?.device),
      field("mode", modeText(spec)),
      field("mac", status?.mac),
      field("mtu", status?.mtu === 0 ? "" : String(status?.mtu ?? "")),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
    ];
  },
  commands: async () => (await import("./flags.js")).phyCommands,
  map: phyMap,
};
