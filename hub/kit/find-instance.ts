import type { MethodDefinition } from "@grpc/grpc-js";
import { notFound } from "../../lib/errors.js";
import type { Instance } from "../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import type { ReadyAgent } from "../fleet/session.js";
import type { HubParts } from "./hub-kind.js";
import { ofHost } from "./of-host.js";

/** The instance of a name on a host. @throws {ZorError} NOT_FOUND, or UNAVAILABLE while the host cannot be asked. */
export async function findInstance(
  { fleet, inventory }: Pick<HubParts, "fleet" | "inventory">,
  host: string,
  name: string,
): Promise<Instance> {
  const agent = fleet.agent(host);
  const known = inventory.log.find("instance", name);
  if (known !== undefined) return known;
  const { instance } = await askHost(agent, InstanceServiceService.getInstance, { host, name });
  if (instance === undefined) throw notFound(name, "list them with: zor get instances");
  return instance;
}

/** What was made a moment ago may not have come through the watch yet: its host decides. */
export async function askHost<Response>(
  agent: ReadyAgent,
  method: MethodDefinition<{ name: string }, Response>,
  { host, name }: { readonly host: string; readonly name: string },
): Promise<Response> {
  const options = { signal: agent.signal, timeoutMs: 5000 };
  return await agent.connection.unary(method, { name }, options).catch((error: unknown) => {
    throw ofHost(error, agent, host);
  });
}
