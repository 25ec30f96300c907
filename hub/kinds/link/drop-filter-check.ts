import { unavailable } from "../../../lib/errors.js";
import { dropFiltersIn } from "../../../lib/impairment.js";
import { parseLinkEnd } from "../../../lib/link-end.js";
import { CableServiceService } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import type { LinkSpec } from "../../../proto/gen/zor/v1/link.js";
import type { ReadyAgent } from "../../fleet/session.js";
import type { HubParts } from "../../kit/hub-kind.js";
import { ofHost } from "../../kit/of-host.js";

/** Compilers have 10 s each. */
const timeoutMs = 20_000;

/**
 * Has the hosts of a link look whether its drop filters compile. Those that it had before are not asked about. One of two hosts is enough:
 * the other one says in its end what it cannot do.
 * @throws {ZorError} INVALID_ARGUMENT that names the fields; UNAVAILABLE while no host can be asked.
 */
export async function checkDropFilters(
  { fleet }: Pick<HubParts, "fleet">,
  spec: LinkSpec,
  before: LinkSpec | undefined,
): Promise<void> {
  const known = new Set(before === undefined ? [] : filtersOf(before).map(({ filter }) => filter));
  const filters = filtersOf(spec).filter(({ filter }) => !known.has(filter));
  if (filters.length === 0) return;
  const hosts = [...new Set([spec.a, spec.b].map((end) => parseLinkEnd("link.spec", end).host))];
  const agents = hosts.flatMap((host) => {
    const agent = readyAgent(fleet, host);
    return agent === undefined ? [] : [{ host, agent }];
  });
  if (agents.length === 0) {
    const names = hosts.map((host) => `hosts/${host}`).join(" and ");
    throw unavailable(
      "HOST_UNREACHABLE",
      `hosts/${hosts[0] ?? ""}`,
      `whether drop filters compile cannot be told while ${names} cannot be reached; try again when one is back`,
    );
  }
  const { checkDropFilters: method } = CableServiceService;
  await Promise.all(
    agents.map(({ host, agent }) =>
      agent.connection.unary(method, { filters }, { signal: agent.signal, timeoutMs }).catch((error: unknown) => {
        throw ofHost(error, agent, host);
      }),
    ),
  );
}

function filtersOf({ aToB, bToA, schedule }: LinkSpec) {
  return dropFiltersIn("link.spec", { ways: { a_to_b: aToB, b_to_a: bToA }, schedule });
}

function readyAgent(fleet: HubParts["fleet"], host: string): ReadyAgent | undefined {
  try {
    return fleet.agent(host);
  } catch {
    // It is away.
    return undefined;
  }
}
