/**
 * How much may wait in front of a connection, so that a slow path delays frames by tens of milliseconds and not by seconds.
 * What is more is dropped as a switch would, which makes the lan's own TCP slow down.
 */
export interface QueueLimits {
  /** In the tap, for its reader. */
  readonly tapFrames: number;
  /** In the kernel's socket, not yet sent. */
  readonly socketBytes: number;
  /** Gathered for one send. */
  readonly batchBytes: number;
}

const tapMs = 15;
const socketMs = 5;
const batchMs = 5;
/** A few super-frames; fewer would leave a TCP stream nothing to work with. */
const leastTapFrames = 4;
const leastBytes = 16 * 1024;

/**
 * Of a path whose speed is not known, or that takes all there is. The tap's is long: on a busy host its reader may wait some milliseconds
 * for a processor, in which a flood of small frames fills a short queue many times over.
 */
export const widest: QueueLimits = { tapFrames: 1_000, socketBytes: 512 * 1024, batchBytes: 256 * 1024 };

/**
 * @param rate bytes per second that the path takes; undefined: more than there are.
 * @param frameBytes mean size of the lan's frames.
 */
export function limitsFor(rate: number | undefined, frameBytes: number): QueueLimits {
  if (rate === undefined) return widest;
  const within = (least: number, wanted: number, most: number): number =>
    Math.round(Math.max(least, Math.min(wanted, most)));
  const bytesIn = (ms: number): number => (rate * ms) / 1_000;
  return {
    tapFrames: within(leastTapFrames, bytesIn(tapMs) / Math.max(1, frameBytes), widest.tapFrames),
    socketBytes: within(leastBytes, bytesIn(socketMs), widest.socketBytes),
    batchBytes: within(leastBytes, bytesIn(batchMs), widest.batchBytes),
  };
}
