import type { Log } from "../lib/log.js";

/** The same words are said again after this time. */
const againMs = 60_000;

/** Says in the log that the hub does not use this agent: at once what is new, and now and then what goes on. */
export function refusalLog(log: Log): (why: string) => void {
  let last = { why: "", atMs: 0 };
  return (why) => {
    const nowMs = performance.now();
    if (why === last.why && nowMs - last.atMs < againMs) return;
    last = { why, atMs: nowMs };
    log.error({ reason: why }, "the hub refuses this agent");
  };
}
