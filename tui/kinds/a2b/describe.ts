import { toMs } from "../../../lib/duration.js";
import {
  Direction,
  type Impairment,
  type ImpairmentStats,
  type ImpairmentStep,
} from "../../../proto/gen/zor/v1/impairment.js";
import { formatBytes } from "../../client/format.js";
import { droppedOf, inForce } from "./columns.js";
import { ageText, type CellContext, labelText, stateCell } from "../../kit/table/column.js";
import { formatAge } from "../../kit/format.js";
import { impairmentDetails, impairmentText } from "../../kit/impairment-text.js";
import type { RowOf } from "../../kit/row.js";
import { a2bStyle } from "../../kit/states.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";

/** What is known of an in-line box. */
export function describeA2b(row: RowOf<"a2bs">, context: CellContext): readonly DescribeLine[] {
  const { spec, status, labels, uid, createTime } = row.resource;
  const style = a2bStyle(status?.state ?? 0);
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
    ...describeWay("From a to b", inForce(row, "aToB"), spec?.aToB, status?.aToB),
    ...describeWay("From b to a", inForce(row, "bToA"), spec?.bToA, status?.bToA),
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
    ...(stats === undefined ? [text("no frame counted yet", "dim")] : statLines(stats)),
  ];
}

/** What was done to the frames of one direction. */
export function statLines(stats: ImpairmentStats): readonly DescribeLine[] {
  const { droppedQueueFrames: queue, droppedDownFrames: down, droppedPortFrames: port } = stats;
  return [
    field("came in", `${stats.inFrames} frames, ${formatBytes(stats.inBytes)}`),
    field("went out", `${stats.outFrames} frames, ${formatBytes(stats.outBytes)}`),
    field("on purpose", purposeText(stats)),
    field("dropped", {
      text: `${queue} queue full, ${down} while down, ${port} not taken by the lan`,
      tone: droppedOf(stats) > 0n ? "warn" : "plain",
    }),
    field("waiting now", `${stats.queuedFrames} frames, ${formatBytes(stats.queuedBytes)}`),
  ];
}

function purposeText(stats: ImpairmentStats): string {
  const { lostFrames, duplicatedFrames, reorderedFrames, corruptedFrames } = stats;
  return `${lostFrames} lost, ${duplicatedFrames} sent twice, ${reorderedFrames} reordered, ${corruptedFrames} corrupted`;
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
