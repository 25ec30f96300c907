import { failedPrecondition } from "../../lib/errors.js";
import { parseTarget } from "../../lib/ssh/target.js";
import { hostServerName } from "../../lib/tls/join.js";
import type { AgentPlace } from "../kit/agent-place.js";
import type { Context } from "./contexts.js";

/** Names of contexts are no longer. */
const longestName = 63;

/**
 * The context that leads past a hub, straight to the agent of one of its hosts, as the same person and the same way: through the ssh server
 * that the hub itself is reached through, unless the hub reaches the agent through one of its own.
 * @throws {ZorError} FAILED_PRECONDITION when nobody can dial the agent.
 */
export function agentContext(hub: Context, { id, addresses, via }: AgentPlace): Context {
  if (addresses.length === 0) {
    throw failedPrecondition(
      "AGENT_DIALS",
      `hosts/${id}`,
      `the agent of ${id} dials the hub and waits for nobody; give it --listen and the host an address (zor set host ${id} --address)`,
    );
  }
  const ssh = via === "" ? hub.ssh : parseTarget("via", via);
  const name = `${hub.name}-${id}`;
  return {
    name: name.length > longestName ? id : name,
    addresses,
    serverName: hostServerName(id),
    identityDirectory: hub.identityDirectory,
    ...(ssh === undefined ? {} : { ssh }),
  };
}
