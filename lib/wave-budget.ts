import type { WaveSpec } from "../proto/gen/zor/v1/wave.js";

/** How many of the resources of a wave may fail before its budget is spent: as many as it says, or as many percent of all, rounded down. */
export function mayFail({ names, maxFailures, maxFailuresPercent }: WaveSpec): number {
  return maxFailures > 0 ? maxFailures : Math.floor((names.length * maxFailuresPercent) / 100);
}
