/** Most milliseconds that pass between two readings. Whoever waits reads the clock more often, unless this process is held. */
const mostMs = 250;

/**
 * A clock for the patience with others: it stands still while this process is held, be it by the kernel, by a machine that is stopped or
 * by its own work. What others sent meanwhile is read after that, and must not come too late for it. To be read at least every
 * {@link mostMs} while somebody is waited for.
 * @param now milliseconds of a clock that never goes back.
 */
export function patientClock(now: () => number = () => performance.now()): () => number {
  let readMs = now();
  let passedMs = 0;
  return () => {
    const nowMs = now();
    passedMs += Math.min(nowMs - readMs, mostMs);
    readMs = nowMs;
    return passedMs;
  };
}
