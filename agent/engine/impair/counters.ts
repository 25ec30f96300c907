import type { ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";

/** Places of a direction's figures in its shared Float64Array; the worker writes, the main thread reads. */
export const counter = {
  inFrames: 0,
  inBytes: 1,
  outFrames: 2,
  outBytes: 3,
  lostFrames: 4,
  droppedQueueFrames: 5,
  droppedDownFrames: 6,
  droppedPortFrames: 7,
  duplicatedFrames: 8,
  reorderedFrames: 9,
  corruptedFrames: 10,
  queuedFrames: 11,
  queuedBytes: 12,
  droppedFilterFrames: 13,
  droppedNthFrames: 14,
  /** Frames the kernel dropped because the tap was full: the box was too slow for them. */
  tapDrops: 15,
} as const;

/** Memory for one direction's figures, shared between threads. */
export function createCounters(): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(Object.keys(counter).length * Float64Array.BYTES_PER_ELEMENT));
}

/** A direction's figures by name. */
export type Counters = Record<keyof typeof counter, number>;

/** Reads all figures; all 0 when there are none. */
export function readCounters(figures: Float64Array | undefined): Counters {
  const at = (place: number): number => figures?.[place] ?? 0;
  // Written out, as it is done for every cable every second.
  return {
    inFrames: at(counter.inFrames),
    inBytes: at(counter.inBytes),
    outFrames: at(counter.outFrames),
    outBytes: at(counter.outBytes),
    lostFrames: at(counter.lostFrames),
    droppedQueueFrames: at(counter.droppedQueueFrames),
    droppedDownFrames: at(counter.droppedDownFrames),
    droppedPortFrames: at(counter.droppedPortFrames),
    duplicatedFrames: at(counter.duplicatedFrames),
    reorderedFrames: at(counter.reorderedFrames),
    corruptedFrames: at(counter.corruptedFrames),
    queuedFrames: at(counter.queuedFrames),
    queuedBytes: at(counter.queuedBytes),
    droppedFilterFrames: at(counter.droppedFilterFrames),
    droppedNthFrames: at(counter.droppedNthFrames),
    tapDrops: at(counter.tapDrops),
  };
}

/** The same as clients see them. */
export function toStats(figures: Counters): ImpairmentStats {
  return {
    inFrames: BigInt(figures.inFrames),
    inBytes: BigInt(figures.inBytes),
    outFrames: BigInt(figures.outFrames),
    outBytes: BigInt(figures.outBytes),
    lostFrames: BigInt(figures.lostFrames),
    droppedQueueFrames: BigInt(figures.droppedQueueFrames),
    droppedDownFrames: BigInt(figures.droppedDownFrames),
    droppedPortFrames: BigInt(figures.droppedPortFrames),
    duplicatedFrames: BigInt(figures.duplicatedFrames),
    reorderedFrames: BigInt(figures.reorderedFrames),
    corruptedFrames: BigInt(figures.corruptedFrames),
    queuedFrames: BigInt(figures.queuedFrames),
    queuedBytes: BigInt(figures.queuedBytes),
    droppedFilterFrames: BigInt(figures.droppedFilterFrames),
    droppedNthFrames: BigInt(figures.droppedNthFrames),
  };
}
