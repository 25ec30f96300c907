import { escapeText } from "../kit/text/escape.js";
import type { ConnectionState } from "../client/watch.js";
import type { Session } from "./session.js";

/** Tells on stderr when the server of a watch is lost, and when it is back. */
export function lossReporter(session: Session): (state: ConnectionState) => void {
  let lost = false;
  return (state) => {
    if (state.phase === "waiting" && !lost) {
      lost = true;
      session.note(escapeText(`zor: the server is lost (${state.error.message}); waiting for it`));
    }
    if (state.phase === "live" && lost) {
      lost = false;
      session.note("zor: the server is back");
    }
  };
}
