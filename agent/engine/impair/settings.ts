import type { BpfProgram } from "../protocol/drop-program.js";

/** What happens to frames in one direction, in the units that frames are treated by. All zero: they pass untouched. */
export interface ImpairmentSettings {
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly jitterDistribution: "uniform" | "normal" | "pareto";
  readonly lossRatio: number;
  /** Mean length of a burst of losses; up to 1: losses are independent. */
  readonly lossBurstFrames: number;
  readonly duplicateRatio: number;
  readonly reorderRatio: number;
  readonly corruptRatio: number;
  /** Bits of whole ethernet frames per second; 0: not limited. */
  readonly rateBps: number;
  /** Bytes that may pass at once; 0: see {@link burstBytesOf}. */
  readonly burstBytes: number;
  /** Bytes that may wait; 0: see {@link queueBytesOf}. */
  readonly queueBytes: number;
  /** Nothing passes. */
  readonly down: boolean;
  /** Of so many frames the last is dropped; 0: none. */
  readonly dropEvery: number;
  /** Frames that match are dropped. */
  readonly dropProgram: BpfProgram | undefined;
}

/** Frames pass untouched. */
export const noImpairment: ImpairmentSettings = {
  delayMs: 0,
  jitterMs: 0,
  jitterDistribution: "uniform",
  lossRatio: 0,
  lossBurstFrames: 0,
  duplicateRatio: 0,
  reorderRatio: 0,
  corruptRatio: 0,
  rateBps: 0,
  burstBytes: 0,
  queueBytes: 0,
  down: false,
  dropEvery: 0,
  dropProgram: undefined,
};

/** A frame of the largest MTU a lan may have, with its ethernet header and a VLAN tag. */
const largestFrameBytes = 9_216 + 18;
/** From here on a super-frame of 64 KiB passes in about half a millisecond. */
const coarseRateBps = 1_000_000_000;
const coarseBytes = 1024 * 1024;

/** Bytes that may pass at once when the rate was not used: what passes in 10 ms, but at least one frame. */
export function burstBytesOf({ burstBytes, rateBps }: ImpairmentSettings): number {
  return burstBytes > 0 ? burstBytes : Math.max(largestFrameBytes, (rateBps / 8) * 0.01);
}

/** Bytes that may wait: for the rate, when there is one, else for the delay. */
export function queueBytesOf({ queueBytes, rateBps }: ImpairmentSettings): number {
  if (queueBytes > 0) return queueBytes;
  return rateBps > 0 ? Math.max(64 * 1024, (rateBps / 8) * 0.2) : 64 * 1024 * 1024;
}

/** Whether something is decided by chance. */
export function isRandom(settings: ImpairmentSettings): boolean {
  const { lossRatio, duplicateRatio, reorderRatio, corruptRatio, jitterMs } = settings;
  return lossRatio + duplicateRatio + reorderRatio + corruptRatio + jitterMs > 0;
}

/**
 * Whether frames must come one by one. A tap with offloads on gives super-frames of up to 64 KiB that become 45 frames on a wire:
 * to lose one would be to lose 45 in a row, and a bit flipped in one would be hidden by the checksum that is computed later. So
 * the offloads of the tap are switched off then, and the kernel cuts super-frames up and completes checksums before we see them.
 * Every nth of super-frames is another number of frames. Where only time counts, and a super-frame takes little of it, offloads stay on: they make a box several times faster.
 */
export function needsSingleFrames(settings: ImpairmentSettings): boolean {
  const { rateBps, burstBytes, queueBytes, dropEvery } = settings;
  const fine = (value: number, coarse: number): boolean => value > 0 && value < coarse;
  return (
    isRandom(settings) ||
    dropEvery > 0 ||
    fine(rateBps, coarseRateBps) ||
    fine(burstBytes, coarseBytes) ||
    fine(queueBytes, coarseBytes)
  );
}
