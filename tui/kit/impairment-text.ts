import { toMs } from "../../lib/duration.js";
import { type Impairment, type ImpairmentStats, JitterDistribution } from "../../proto/gen/zor/v1/impairment.js";
import { formatBits } from "./format.js";

/** What happens to frames, in short: "50ms±5 1% 10Mb/s"; "-" when they pass untouched, "DOWN" when nothing passes. */
export function impairmentText(impairment: Impairment | undefined): string {
  if (impairment === undefined) return "-";
  if (impairment.down) return "DOWN";
  const { lossRatio, lossBurstFrames, rateBps } = impairment;
  const parts = [
    delayText(impairment),
    lossRatio === 0 ? "" : `${percent(lossRatio)}${lossBurstFrames > 1 ? `x${trimmed(lossBurstFrames)}` : ""}`,
    ratioText("dup", impairment.duplicateRatio),
    ratioText("reorder", impairment.reorderRatio),
    ratioText("corrupt", impairment.corruptRatio),
    rateBps === 0n ? "" : formatBits(rateBps),
    impairment.dropEvery === 0 ? "" : `1/${impairment.dropEvery}`,
    impairment.dropFilter === "" ? "" : `drop ${impairment.dropFilter}`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? "-" : parts.join(" ");
}

/** Everything an impairment says, for the details. */
export function impairmentDetails(impairment: Impairment | undefined): string {
  const short = impairmentText(impairment);
  if (impairment === undefined || impairment.down || short === "-")
    return short === "-" ? "frames pass untouched" : short;
  const { burstBytes, queueBytes, jitter, jitterDistribution } = impairment;
  const spread = toMs(jitter) === 0 ? "" : `, ${distributionName(jitterDistribution)} jitter`;
  const burst = burstBytes === 0n ? "" : `, burst ${burstBytes} bytes`;
  const queue = queueBytes === 0n ? "" : `, queue ${queueBytes} bytes`;
  return `${short}${spread}${burst}${queue}`;
}

/** Frames dropped, but for those lost on purpose. */
export function droppedOf(stats: ImpairmentStats): bigint {
  return stats.droppedQueueFrames + stats.droppedDownFrames + stats.droppedPortFrames;
}

function delayText({ delay, jitter }: Impairment): string {
  const delayMs = toMs(delay);
  const jitterMs = toMs(jitter);
  if (jitterMs === 0) return delayMs === 0 ? "" : `${trimmed(delayMs)}ms`;
  return delayMs === 0 ? `±${trimmed(jitterMs)}ms` : `${trimmed(delayMs)}ms±${trimmed(jitterMs)}`;
}

function ratioText(name: string, ratio: number): string {
  return ratio === 0 ? "" : `${name} ${percent(ratio)}`;
}

function percent(ratio: number): string {
  return `${trimmed(ratio * 100)}%`;
}

/** A number with as many decimals as say something. */
function trimmed(value: number): string {
  return `${Number(value.toPrecision(3))}`;
}

function distributionName(distribution: JitterDistribution): string {
  switch (distribution) {
    case JitterDistribution.JITTER_DISTRIBUTION_NORMAL:
      return "normal";
    case JitterDistribution.JITTER_DISTRIBUTION_PARETO:
      return "pareto";
    default:
      return "uniform";
  }
}
