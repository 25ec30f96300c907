import { toMs } from "../../../lib/duration.js";
import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import {
  type Impairment,
  type ImpairmentStats,
  type ImpairmentStep,
  Direction,
} from "../../../proto/gen/zor/v1/impairment.js";
import { impairmentLines } from "../../kit/describe/impairment-lines.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { formatAge } from "../../kit/format.js";
import { impairmentDetails, impairmentText } from "../../kit/impairment-text.js";
import type { Row } from "../../kit/row.js";
import { ageText, labelText, stateCell } from "../../kit/table/columns.js";
import { inForce } from "./facts.js";
import { a2bStyle } from "./states.js";

/** What is known of an in-line box. */
export function describeA2b(row: Row<A2b>, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const style = a2bStyle(status?.state);
  const schedule = spec?.schedule ?? [];
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
    ...describeWay("From a to b", inForce(row.resource, "aToB"), spec?.aToB, status?.aToB),
    ...describeWay("From b to a", inForce(row.resource, "bToA"), spec?.bToA, status?.bToA),
    ...(schedule.length === 0 ? [] : [heading(`Schedule (${schedule.length})`)]),
    ...schedule.map(describeStep),
  ];
}

function describeWay(
  title: string,
  current: Impairment | undefined,
  specified: Impairment | undefined,
  stats: ImpairmentStats | undefined,
): readonly DescribeLine[] {
  const now = impairmentDetails(current);
  const standing = impairmentDetails(specified);
  return [
    heading(title),
    field("in force", { text: now, tone: current?.down === true ? "bad" : "strong" }),
    ...(now === standing ? [] : [field("without schedule", standing)]),
    ...(stats === undefined ? [text("no frame counted yet", "dim")] : impairmentLines(stats)),
  ];
}

function describeStep(step: ImpairmentStep, index: number): DescribeLine {
  const ms = (duration: ImpairmentStep["start"]) => (duration === undefined ? 0 : toMs(duration));
  const every = step.repeatEvery === undefined ? "" : `, every ${formatAge(ms(step.repeatEvery))}`;
  const when = `at ${formatAge(ms(step.start))} for ${formatAge(ms(step.duration))}${every}`;
  return field(`${index + 1} ${directionText(step.direction)}`, `${when}: ${impairmentText(step.impairment)}`);
}

function directionText(direction: Direction): string {
  if (direction === Direction.DIRECTION_A_TO_B) return "a→b";
  return direction === Direction.DIRECTION_B_TO_A ? "b→a" : "both ways";
}

function portText(port: string | undefined): string {
  return port === undefined || port === "" ? "" : `, port ${port}`;
}

function seedText(specified: bigint | undefined, used: bigint | undefined): string {
  if (specified !== undefined && specified !== 0n) return `${specified}`;
  return used === undefined || used === 0n ? "a new one each start" : `${used} (a new one each start)`;
}
