import type { Vtep, VtepStatus } from "../../../proto/gen/zor/v1/vtep.js";
import { VtepServiceService } from "../../../proto/gen/zor/v1/vtep_service.js";
import { deletes, deletesBy } from "../../kit/action.js";
import { field } from "../../kit/describe/line.js";
import type { TuiKind } from "../../kit/kind.js";
import { portText } from "../../kit/port-text.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { vtepColumns } from "./columns.js";
import { vtepStyle } from "./states.js";
import { vtepMap } from "./map.js";

/** Tunnels from lans to ends that are not ours. */
export const vtepKind: TuiKind<Vtep> = {
  kind: "vtep",
  columns: vtepColumns,
  sortBy: "host",
  empty: "no vteps; join a lan with a foreign tunnel end with: zor create vtep",
  counted: { short: "vteps", rank: 3 },
  actions: [
    {
      ...deletes,
      effect: ({ resource: { spec } }) => `lan ${spec?.lan || "none"} is joined with ${spec?.remote ?? ""} no more`,
      ...deletesBy(VtepServiceService.deleteVtep),
    },
  ],
  stateAt: ["status", "state"],
  styleOf: vtepStyle,
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    const heard = status?.heardTime;
    return [
      field("state", stateCell(row, vtepStyle(status?.state), context)),
      field("reason", { text: status?.reason ?? "", tone: "bad" }),
      field("note", { text: status?.note ?? "", tone: "warn" }),
      field("encryption", {
        text: "! NOT ENCRYPTED (VXLAN): whoever is on the way can read, change and make frames",
        tone: "warn",
      }),
      field("host", row.host),
      field("lan", spec?.lan || "none"),
      field("port", [status?.port ?? "", portText(spec?.portSettings)].filter((part) => part !== "").join(", ")),
      field("remote", `${spec?.remote ?? ""}, UDP port ${spec?.dstPort ?? 0}`),
      field("local", spec?.local || "that of the route"),
      field("vni", String(spec?.vni ?? "")),
      field("heard", heard === undefined ? "not since the agent began" : `${ageText(heard, context)} ago`),
      field("received", framesText(status?.rxFrames, status?.rxBytes)),
      field("sent", `${framesText(status?.txFrames, status?.txBytes)}${droppedText(status)}`),
      field("max packet", status?.maxPacket === 0 ? "" : String(status?.maxPacket ?? "")),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
    ];
  },
  commands: async () => (await import("./flags.js")).vtepCommands,
  map: vtepMap,
};

function framesText(frames = 0n, bytes = 0n): string {
  return `${frames} frames, ${bytes} bytes`;
}

function droppedText(status: VtepStatus | undefined): string {
  const dropped = status?.droppedFrames ?? 0n;
  return dropped === 0n ? "" : `; ${dropped} frames could not be sent`;
}
