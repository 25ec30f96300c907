import { pause } from "../../lib/backoff.js";
import { messageOf, unavailable } from "../../lib/errors.js";

/** How a session finds out that its agent has gone silent. */
export interface KeepAliveOptions {
  readonly signal: AbortSignal;
  /** When the agent was last heard, by whatever stream. */
  readonly heard: () => Date | undefined;
  /** Asks for a sign of life; fails when there is none in time. */
  readonly ping: (timeoutMs: number) => Promise<void>;
}

/** Seconds between the signs of life that an agent is asked to give by itself: a ping is due only when one is late. */
export const bookmarkSeconds = 2;

const intervalMs = 2500;
/** An agent that is heard is still asked now and then: how long it takes to answer is shown. */
const measureMs = 10_000;
const timeoutMs = 2250;
/** One lost ping may be a busy machine; two in a row, with nothing else heard, are silence. At most 2.5 + 2.25 + 2.25 seconds. */
const strikes = 2;

/** Pings until the agent is silent, then throws UNAVAILABLE. Returns when the signal aborts. */
export async function keepAlive(options: KeepAliveOptions): Promise<void> {
  const { signal } = options;
  let missed = 0;
  // It has just answered: many are greeted at once when the hub begins.
  let askedMs = Date.now() - measureMs + intervalMs;
  while (!signal.aborted) {
    const begin = Date.now();
    const quietMs = begin - (options.heard()?.getTime() ?? 0);
    if (missed === 0 && quietMs >= 0 && quietMs < intervalMs && begin - askedMs < measureMs) {
      await pause(intervalMs - quietMs, signal);
      continue;
    }
    askedMs = begin;
    try {
      await options.ping(timeoutMs);
      missed = 0;
    } catch (error) {
      if (signal.aborted) return;
      missed = (options.heard()?.getTime() ?? 0) > begin ? 0 : missed + 1;
      if (missed >= strikes) {
        throw unavailable("SILENT", "agent", `the agent does not answer: ${messageOf(error)}`, error);
      }
      if (Date.now() - begin > timeoutMs / 2) continue;
    }
    await pause(intervalMs, signal);
  }
}
