import type { ReadyConnection } from "../handshake/dial.js";
import { CableFailure } from "../handshake/failure.js";

/**
 * Why another engine of the peer's identity must not take the place of the one that is connected: both live, one machine is a copy of
 * the other. Of an engine that has ended the connection is closed; of one that is cut off it becomes quiet within seconds.
 * @param current connection in use, whose peer answers. @param engine that wants its place. @param from where that is, for people.
 */
export function refusalOfCopy(
  current: ReadyConnection | undefined,
  engine: string,
  from: string,
): CableFailure | undefined {
  const known = current?.dialler ?? "";
  if (current === undefined || known === "" || engine === "" || known === engine) return undefined;
  const used = current.path === "relayed" ? "the relay" : current.remoteAddress;
  const why = `two live hosts have one identity: the one at ${used} is connected, the one at ${from} is refused; `;
  return new CableFailure(
    "peer",
    `${why}stop the agent of the copy, empty its state directory, join its machine as a host of its own`,
  );
}
