import { Backoff } from "../../../../lib/backoff.js";
import type { Log } from "../../../../lib/log.js";
import { CableServiceService, type WatchEndsResponse } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import type { PartSession, SessionPart } from "../../../fleet/session-part.js";
import { believedEnds } from "./believed-ends.js";
import type { ObservedEnds } from "./observed-ends.js";

/** Follows the link ends of every host. Apart from the watch of resources: an agent whose cables do not work is still good for everything else. */
export function watchEnds(ends: ObservedEnds, log: Log): SessionPart {
  return {
    run: (session, signal) => follow(session, ends, { log, signal }),
    lost: (host) => ends.stale(host),
    forgotten: (host) => ends.forget(host),
  };
}

async function follow(
  { host, connection, heard, refuse }: PartSession,
  ends: ObservedEnds,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  const backoff = new Backoff({ minMs: 500, maxMs: 10_000 });
  while (!signal.aborted) {
    try {
      const take = (message: WatchEndsResponse): void => {
        heard();
        backoff.reset();
        ends.apply(host, believedEnds(message, refuse));
      };
      await connection.read(CableServiceService.watchEnds, {}, { signal, take });
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, "watching link ends failed");
    }
    ends.stale(host);
    await backoff.wait(signal);
  }
}
