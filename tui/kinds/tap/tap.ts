import type { Tap } from "../../../proto/gen/zor/v1/tap.js";
import { TapServiceService } from "../../../proto/gen/zor/v1/tap_service.js";
import { deletes, deletesBy } from "../../kit/action.js";
import { field } from "../../kit/describe/line.js";
import type { TuiKind } from "../../kit/kind.js";
import { portText } from "../../kit/port-text.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { tapColumns } from "./columns.js";
import { tapStyle } from "./states.js";
import { tapMap } from "./map.js";

/** Interfaces of the host, or of a namespace on it, that are plugged into lans. */
export const tapKind: TuiKind<Tap> = {
  kind: "tap",
  columns: tapColumns,
  sortBy: "host",
  empty: "no taps; plug the host itself into a lan with: zor create tap",
  counted: { short: "taps", rank: 3 },
  actions: [
    {
      ...deletes,
      effect: ({ resource: { spec }, host }) => `interface ${spec?.device ?? ""} of ${spec?.netns || host} is removed`,
      ...deletesBy(TapServiceService.deleteTap),
    },
  ],
  stateAt: ["status", "state"],
  styleOf: tapStyle,
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    return [
      field("state", stateCell(row, tapStyle(status?.state), context)),
      field("reason", { text: status?.reason ?? "", tone: "bad" }),
      field("host", row.host),
      field("lan", spec?.lan || "none"),
      field("port", [status?.port ?? "", portText(spec?.portSettings)].filter((part) => part !== "").join(", ")),
      field("interface", spec?.device),
      field("namespace", spec?.netns || "the host's own"),
      field("addresses", spec?.addresses.join(", ") || "none"),
      field("mac", status?.mac),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
    ];
  },
  commands: async () => (await import("./flags.js")).tapCommands,
  map: tapMap,
};
