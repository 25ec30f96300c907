/** The longest that a timer of Node's keeps, ms; a longer one would end at once. */
const longestMs = 2 ** 31 - 1;

/**
 * A signal that aborts with a TimeoutError after so many milliseconds, of whatever number: parts of one are rounded up, what is over already
 * aborts at once, and what is longer than a timer keeps (24 days) is cut to that. Holds no process back from its end.
 */
export function timeLimit(milliseconds: number): AbortSignal {
  const whole = Number.isNaN(milliseconds) ? 0 : Math.ceil(milliseconds);
  return AbortSignal.timeout(Math.min(longestMs, Math.max(0, whole)));
}
