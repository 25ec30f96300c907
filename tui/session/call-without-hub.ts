import type { Calls, Connection } from "../../lib/grpc/connection.js";
import { failedPrecondition } from "../../lib/errors.js";
import { hubOf, withoutHub } from "../kit/hubs.js";
import { shortName } from "../kit/resource-name.js";

/** A connection to one of several hubs: what is asked over it may say the hub in names, which that hub itself does not know. */
export function callWithoutHub(connection: Connection, hub: string): Connection {
  const bare = <Request>(request: Request): Request =>
    withoutHub(request, hub, (other) => {
      throw failedPrecondition(
        "OTHER_HUB",
        other,
        `${shortName(other)} is at ${hubOf(other)}, and ${hub} is asked for this`,
      );
    });
  const calls: Calls = {
    address: connection.address,
    peer: connection.peer,
    unary: async (method, request, options) => connection.unary(method, bare(request), options),
    stream: (method, request, options) => connection.stream(method, bare(request), options),
    bidi: (method, requests, options) => connection.bidi(method, requests, options),
  };
  // Whoever is given it makes calls; what else a connection has is its owner's.
  return calls as Connection;
}
