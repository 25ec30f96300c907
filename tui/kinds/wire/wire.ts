import type { Wire, WireEnd } from "../../../proto/gen/zor/v1/wire.js";
import { describeImpairing } from "../../kit/describe/impairment-lines.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import type { TuiKind } from "../../kit/kind.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { wireActions } from "./actions.js";
import { endText, wireColumns, wireWideColumns } from "./columns.js";
import { wireStyle } from "./states.js";
import { wireMap } from "./map.js";
import { wireForm } from "./form.js";

/** Cables between two interfaces of a host. */
export const wireKind: TuiKind<Wire> = {
  kind: "wire",
  form: wireForm,
  columns: wireColumns,
  wideColumns: wireWideColumns,
  sortBy: "name",
  empty: "no wires; put one between two interfaces with: zor create wire",
  counted: { short: "wires", rank: 3 },
  actions: wireActions,
  stateAt: ["status", "state"],
  styleOf: wireStyle,
  describe: (row, context) => {
    const { spec, status, labels, uid, createTime } = row.resource;
    return [
      field("state", stateCell(row, wireStyle(status?.state ?? 0), context)),
      field("reason", { text: status?.reason ?? "", tone: "warn" }),
      field("host", row.host),
      field("end a", describeEnd(spec?.a, status?.endA)),
      field("end b", describeEnd(spec?.b, status?.endB)),
      field("cut", spec?.cut === true ? "yes" : ""),
      field("carrier", spec?.keepCarrier === true ? "kept whatever the other end does" : ""),
      field("mtu", `${spec?.mtu ?? ""}`),
      field("in state", ageText(status?.sinceTime, context)),
      field("labels", labelText(labels)),
      field("created", `${ageText(createTime, context)} ago`),
      field("uid", uid),
      ...(isImpaired(row.resource) ? describeImpairment(row.resource) : []),
    ];
  },
  commands: async () => (await import("./flags.js")).wireCommands,
  map: wireMap,
};

function isImpaired({ spec }: Wire): boolean {
  return spec?.aToB !== undefined || spec?.bToA !== undefined || (spec?.schedule ?? []).length > 0;
}

function describeImpairment(wire: Wire): readonly DescribeLine[] {
  const { status } = wire;
  return [
    field("seed", `${status?.seed ?? ""}`),
    field("engine pid", status?.enginePid ? `${status.enginePid}` : ""),
    ...describeImpairing(wire),
  ];
}

function describeEnd(nic: string | undefined, end: WireEnd | undefined): string {
  if (end === undefined || end.port === "") return endText(nic);
  return `${endText(nic)}, port ${end.port}, ${end.carrier ? "carrier" : "no carrier"}, mtu ${end.mtu}`;
}
