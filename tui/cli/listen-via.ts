import type { ListenVia } from "../client/listen-for.js";
import { escapeText } from "../kit/text/escape.js";
import type { Session } from "./session.js";

/** Connections are passed on through the hub of a command, which is told what is wrong with them. */
export async function listenVia(session: Session): Promise<ListenVia> {
  return {
    connection: await session.connect(),
    signal: session.io.signal,
    onTrouble: (text) => session.note(escapeText(`zor: ${text}`)),
  };
}
