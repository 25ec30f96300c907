import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import { describeImpairing } from "../../kit/describe/impairment-lines.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { Row } from "../../kit/row.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { a2bStyle } from "./states.js";

/** What is known of an in-line box. */
export function describeA2b(row: Row<A2b>, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const style = a2bStyle(status?.state);
  return [
    field("state", stateCell(row, style, context)),
    ...(context.fleet.isReachable(row.host)
      ? []
      : [field("", { text: `last known: ${style.word}`, tone: "warn" as const })]),
    field("reason", { text: status?.reason ?? "", tone: style.tone === "bad" ? "bad" : "plain" }),
    field("host", row.host),
    field("side a", `${spec?.lanA ?? ""}${portText(status?.portA)}`),
    field("side b", `${spec?.lanB ?? ""}${portText(status?.portB)}`),
    field("seed", seedText(spec?.seed, status?.seed)),
    field("in state", status?.sinceTime === undefined ? "" : `${ageText(status.sinceTime, context)}`),
    field("engine pid", status?.enginePid ? `${status.enginePid}` : ""),
    field("labels", labelText(labels)),
    field("created", `${ageText(createTime, context)} ago`),
    field("uid", uid),
    ...describeImpairing(row.resource),
  ];
}

function portText(port: string | undefined): string {
  return port === undefined || port === "" ? "" : `, port ${port}`;
}

function seedText(specified: bigint | undefined, used: bigint | undefined): string {
  if (specified !== undefined && specified !== 0n) return `${specified}`;
  return used === undefined || used === 0n ? "a new one each start" : `${used} (a new one each start)`;
}
