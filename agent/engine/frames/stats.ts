/** Places of a cable's figures in its shared Float64Array; the worker writes, the main thread reads. */
export const stat = {
  txFrames: 0,
  txBytes: 1,
  rxFrames: 2,
  rxBytes: 3,
  droppedQueueFrames: 4,
  droppedDownFrames: 5,
  droppedPortFrames: 6,
  /** Median round trip of the last probes in milliseconds; 0: none yet. */
  rttMs: 7,
  /** 99th percentile of the same. */
  rttP99Ms: 8,
  /** Part of the last probes not answered in time, 0 to 1. */
  lossRatio: 9,
  /** Largest MTU that crossed and came back. */
  mtuProven: 10,
  /** Milliseconds since something was heard when the worker last looked. */
  silentMs: 11,
  /** Probes sent on the connection, and those that came back. */
  probesSent: 12,
  probesAnswered: 13,
} as const;

/** Number of figures. */
const statCount = 16;

/** Memory for one cable's figures, shared between threads. */
export function createStats(): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(statCount * Float64Array.BYTES_PER_ELEMENT));
}

/** A cable's figures by name. */
export type Figures = Record<keyof typeof stat, number>;

/** Reads all figures; all 0 when there are none. */
export function readFigures(stats: Float64Array | undefined): Figures {
  const at = (place: number): number => stats?.[place] ?? 0;
  // Written out, as it is done for every cable every second.
  return {
    txFrames: at(stat.txFrames),
    txBytes: at(stat.txBytes),
    rxFrames: at(stat.rxFrames),
    rxBytes: at(stat.rxBytes),
    droppedQueueFrames: at(stat.droppedQueueFrames),
    droppedDownFrames: at(stat.droppedDownFrames),
    droppedPortFrames: at(stat.droppedPortFrames),
    rttMs: at(stat.rttMs),
    rttP99Ms: at(stat.rttP99Ms),
    lossRatio: at(stat.lossRatio),
    mtuProven: at(stat.mtuProven),
    silentMs: at(stat.silentMs),
    probesSent: at(stat.probesSent),
    probesAnswered: at(stat.probesAnswered),
  };
}
