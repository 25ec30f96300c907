import type { Backoff } from "../../../lib/backoff.js";
import type { CableFailure } from "../handshake/failure.js";
import { RelayRefusal } from "../handshake/relay-socket.js";

/** Nothing but an upgrade of one side helps. */
const hopelessMs = 60_000;
const atOnceMs = 500;

/** Milliseconds to wait after the relay, or the other end behind it, could not be reached. */
export function relayWaitMs(failure: CableFailure, backoff: Backoff): number {
  if (!(failure instanceof RelayRefusal)) return backoff.nextMs();
  switch (failure.advice) {
    case "at-once":
      return Math.random() * atOnceMs;
    case "later":
      return backoff.nextMs();
    case "hopeless":
      return hopelessMs;
  }
}
