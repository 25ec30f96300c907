import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatBytes } from "../../kit/format.js";
import { portText } from "../../kit/port-text.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { dropsText, memberText } from "./drops-text.js";
import { outletLines } from "./outlet-text.js";
import { portRstpText, rstpText, snoopingText } from "./rstp-text.js";
import { lanStyle } from "./states.js";

/** What is known of a lan. */
export function describeLan(row: Row<Lan>, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const ports = status?.ports ?? [];
  return [
    field("state", stateCell(row, lanStyle(row.resource), context)),
    field("reason", { text: status?.reason ?? "", tone: "bad" }),
    field("host", row.host),
    field("mtu", `${spec?.mtu ?? ""}`),
    field("rstp", rstpText(row.resource)),
    ...(spec?.flood === true ? [field("mode", "hub: every frame goes to every port")] : []),
    ...(spec?.multicastSnooping === undefined ? [] : [field("multicasts", snoopingText(spec.multicastSnooping))]),
    ...(spec?.flows ?? []).map((flow, index) => field(index === 0 ? "flows" : "", flow)),
    ...(spec?.rspans ?? []).map(({ mirror, vlan }) => field("rspan", `copies of ${mirror} in VLAN ${vlan}`)),
    field("datapath", status?.datapath),
    field("labels", labelText(labels)),
    field("observed", `${ageText(status?.observeTime, context)} ago`),
    field("created", `${ageText(createTime, context)} ago`),
    field("uid", uid),
    ...outletLines(row.resource, context),
    heading(`Ports (${ports.length})`),
    ...ports.flatMap((port) => [
      field(
        shortName(port.endpoint),
        `in ${port.rxFrames} frames ${formatBytes(port.rxBytes)}, out ${port.txFrames} frames ${formatBytes(port.txBytes)}, dropped ${port.droppedFrames}`,
      ),
      ...(port.settings === undefined ? [] : [field("", portText(port.settings))]),
      ...(port.bond === undefined ? [] : [field("", memberText(port.bond))]),
      ...(dropsText(port) === "" ? [] : [field("", { text: dropsText(port), tone: "warn" })]),
      ...(port.rstp === undefined ? [] : [field("", { text: `rstp ${portRstpText(port.rstp)}`, tone: "dim" })]),
      ...(port.heardAddresses.length === 0
        ? []
        : [field("", { text: `heard ${port.heardAddresses.join(" ")}`, tone: "dim" })]),
    ]),
    ...(ports.length === 0 ? [text("nothing is plugged in", "dim")] : []),
  ];
}
