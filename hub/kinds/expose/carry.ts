import type { Socket } from "node:net";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { tunnel } from "../../../lib/grpc/tunnel.js";
import { parseOnHost } from "../../../lib/names.js";
import { type Expose, ExposeSpec } from "../../../proto/gen/zor/v1/expose.js";
import type { HubParts } from "../../kit/hub-kind.js";
import { ofHost } from "../../kit/of-host.js";
import type { Visit } from "./door.js";
import { refusalOf } from "./expose-check.js";

/** A server must have been reached by then. */
const openMs = 20_000;

/**
 * Carries a connection to the server of an expose, by what `zor port-forward` uses: the agent connects, to that very instance and to none
 * else. @throws {ZorError} for what stands in the way, or was lost on it.
 */
export async function carry(
  { fleet, inventory }: Pick<HubParts, "fleet" | "inventory">,
  { spec = ExposeSpec.fromPartial({}), status }: Expose,
  socket: Socket,
  { signal, onReached }: Visit,
): Promise<void> {
  const { instance: name, port, address, nic } = spec;
  const uid = status?.instanceUid ?? "";
  const { host } = parseOnHost("expose.spec.instance", name, "instances");
  const agent = fleet.agent(host);
  const there = inventory.log.find("instance", name);
  if (there !== undefined) {
    const why = there.uid === uid ? refusalOf(spec, there) : `another instance has the name of ${name} now`;
    if (why !== "") throw failedPrecondition("NOT_ITS_SERVER", name, `${why}; delete the expose, or make it anew`);
  }
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), openMs);
  const ends = {
    input: socket,
    output: socket,
    onOpened: () => {
      clearTimeout(timer);
      onReached();
    },
    onFailed: () => void socket.resetAndDestroy(),
  };
  try {
    const either = AbortSignal.any([signal, agent.signal, late.signal]);
    await tunnel(agent.connection, { name, port, address, nic, uid }, ends, either);
  } catch (error) {
    if (late.signal.aborted) throw slow(name, port);
    if (agent.signal.aborted) throw lost(host);
    throw ofHost(error, agent, host);
  } finally {
    clearTimeout(timer);
  }
}

function slow(name: string, port: number): Error {
  const message = `port ${port} of ${name} was not reached within ${openMs / 1000} s; look at it with: zor describe`;
  return unavailable("NOT_REACHED", name, message);
}

function lost(host: string): Error {
  return unavailable("HOST_LOST", `hosts/${host}`, `hosts/${host} was lost during a connection; the hub keeps trying`);
}
