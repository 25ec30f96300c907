import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { Subject } from "../subject.js";
import type { DeviceCounters } from "./devices.js";

/** Figures of traffic, in the order that {@link setTraffic} has them. */
export const trafficFigures: readonly Figure[] = [
  Figure.FIGURE_NET_IN,
  Figure.FIGURE_NET_OUT,
  Figure.FIGURE_NET_IN_FRAMES,
  Figure.FIGURE_NET_OUT_FRAMES,
  Figure.FIGURE_NET_DROPS,
  Figure.FIGURE_NET_ERRORS,
  Figure.FIGURE_NET_IN_TOTAL,
  Figure.FIGURE_NET_OUT_TOTAL,
  Figure.FIGURE_NET_IN_FRAMES_TOTAL,
  Figure.FIGURE_NET_OUT_FRAMES_TOTAL,
  Figure.FIGURE_NET_DROPS_TOTAL,
  Figure.FIGURE_NET_ERRORS_TOTAL,
];

/** Number of the rates, which have their totals as far behind them. */
const rates = 6;

/** Sets the figures of traffic, which begin at that position of a subject. */
export function setTraffic(subject: Subject, first: number, counters: DeviceCounters): void {
  const { inBytes, outBytes, inFrames, outFrames, drops, errors } = counters;
  for (const [index, total] of [inBytes, outBytes, inFrames, outFrames, drops, errors].entries()) {
    subject.count(first + index, first + index + rates, total);
  }
}

/** The sum of counters; undefined: there are none. */
export function sumOf(all: readonly (DeviceCounters | undefined)[]): DeviceCounters | undefined {
  let sum: DeviceCounters | undefined;
  for (const each of all) {
    if (each === undefined) continue;
    if (sum === undefined) sum = each;
    else
      sum = {
        inBytes: sum.inBytes + each.inBytes,
        inFrames: sum.inFrames + each.inFrames,
        outBytes: sum.outBytes + each.outBytes,
        outFrames: sum.outFrames + each.outFrames,
        drops: sum.drops + each.drops,
        errors: sum.errors + each.errors,
      };
  }
  return sum;
}

/** As what is behind the device sees it: what it sends comes in. */
export function turned({ inBytes, inFrames, outBytes, outFrames, ...rest }: DeviceCounters): DeviceCounters {
  return { inBytes: outBytes, inFrames: outFrames, outBytes: inBytes, outFrames: inFrames, ...rest };
}
