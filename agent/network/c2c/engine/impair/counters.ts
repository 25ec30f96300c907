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
  /** Frames the kernel dropped because the tap was full: the box was too slow for them. */
  tapDrops: 13,
} as const;

/** Memory for one direction's figures, shared between threads. */
export function createCounters(): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(Object.keys(counter).length * Float64Array.BYTES_PER_ELEMENT));
}

/** A direction's figures by name. */
export type Counters = Record<keyof typeof counter, number>;

/** Reads all figures; all 0 when there are none. */
export function readCounters(figures: Float64Array | undefined): Counters {
  const entries = Object.entries(counter).map(([name, index]) => [name, figures?.[index] ?? 0]);
  // The keys are those of `counter`.
  return Object.fromEntries(entries) as Counters;
}
