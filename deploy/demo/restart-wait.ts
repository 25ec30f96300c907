/** Wait before a program that ended is started again: a short one at first, doubling to the greatest while it keeps ending soon. */
const firstWaitMs = 200;
const greatestWaitMs = 5000;
/** A program that ran for this long did serve: whoever kills it again and again does not wait longer than this for its return. */
const servedAfterMs = 5000;
const greatestServedWaitMs = 2000;
/** A program that ran for this long was well; its next end is a first one again. */
const wellAfterMs = 10_000;

/** Milliseconds to wait after a program ran for `ranMs`; `previousMs`: the wait before that run, 0 for none. */
export function restartWait(previousMs: number, ranMs: number): number {
  if (ranMs >= wellAfterMs || previousMs === 0) return firstWaitMs;
  return Math.min(previousMs * 2, ranMs > servedAfterMs ? greatestServedWaitMs : greatestWaitMs);
}
