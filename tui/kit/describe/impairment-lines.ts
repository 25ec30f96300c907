import { toMs } from "../../../lib/duration.js";
import {
  Direction,
  type Impairment,
  type ImpairmentStats,
  type ImpairmentStep,
} from "../../../proto/gen/zor/v1/impairment.js";
import { formatAge, formatBytes } from "../format.js";
import { droppedOf, impairmentDetails, impairmentText } from "../impairment-text.js";
import { type DescribeLine, field, heading, text } from "./line.js";

/** What was done to the frames of one direction. */
export function impairmentLines(stats: ImpairmentStats): readonly DescribeLine[] {
  const { droppedQueueFrames: queue, droppedDownFrames: down, droppedPortFrames: port } = stats;
  return [
    field("came in", `${stats.inFrames} frames, ${formatBytes(stats.inBytes)}`),
    field("went out", `${stats.outFrames} frames, ${formatBytes(stats.outBytes)}`),
    field("on purpose", purposeText(stats)),
    ...pickedLines(stats),
    field("dropped", {
      text: `${queue} queue full, ${down} while down, ${port} not taken by the port`,
      tone: droppedOf(stats) > 0n ? "warn" : "plain",
    }),
    field("waiting now", `${stats.queuedFrames} frames, ${formatBytes(stats.queuedBytes)}`),
  ];
}

/** A resource that does something to the frames between its ends a and b. */
interface Impairing {
  readonly spec:
    | {
        readonly aToB: Impairment | undefined;
        readonly bToA: Impairment | undefined;
        readonly schedule: readonly ImpairmentStep[];
      }
    | undefined;
  readonly status:
    | {
        readonly aToB: ImpairmentStats | undefined;
        readonly bToA: ImpairmentStats | undefined;
        readonly currentAToB: Impairment | undefined;
        readonly currentBToA: Impairment | undefined;
      }
    | undefined;
}

/** What happens to frames of one direction now, schedule applied; before the first observation what is specified. */
export function inForce({ spec, status }: Impairing, way: "aToB" | "bToA"): Impairment | undefined {
  const current = way === "aToB" ? status?.currentAToB : status?.currentBToA;
  return current ?? spec?.[way];
}

/** What happens to frames of both directions, what was done to them, and what is to come. */
export function describeImpairing(resource: Impairing): readonly DescribeLine[] {
  const { spec, status } = resource;
  const schedule = spec?.schedule ?? [];
  return [
    ...describeWay("From a to b", inForce(resource, "aToB"), spec?.aToB, status?.aToB),
    ...describeWay("From b to a", inForce(resource, "bToA"), spec?.bToA, status?.bToA),
    ...(schedule.length === 0 ? [] : [heading(`Schedule (${schedule.length})`)]),
    ...schedule.map(describeStep),
  ];
}

/** What happens to the frames of one direction, and what was done to them. */
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

/** A step of a schedule. */
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

/** Frames that were picked out: only where there are any, as few impairments do that. */
function pickedLines({
  droppedFilterFrames: matching,
  droppedNthFrames: nth,
}: ImpairmentStats): readonly DescribeLine[] {
  return matching + nth === 0n ? [] : [field("picked out", `${matching} by the filter, ${nth} by their number`)];
}

function purposeText(stats: ImpairmentStats): string {
  const { lostFrames, duplicatedFrames, reorderedFrames, corruptedFrames } = stats;
  return `${lostFrames} lost, ${duplicatedFrames} sent twice, ${reorderedFrames} reordered, ${corruptedFrames} corrupted`;
}
