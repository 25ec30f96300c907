import type { ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";
import { formatBytes } from "../format.js";
import { droppedOf } from "../impairment-text.js";
import { type DescribeLine, field } from "./line.js";

/** What was done to the frames of one direction. */
export function impairmentLines(stats: ImpairmentStats): readonly DescribeLine[] {
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
