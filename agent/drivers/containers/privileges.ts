import { failedPrecondition } from "../../../lib/errors.js";
import type { ContainerCapabilities } from "../../../proto/gen/zor/v1/crun.js";
import type { AgentLimits } from "./agent-limits.js";
import { beyondDefault, type ContainerCapability, effectiveCapabilities } from "./capabilities.js";

/** What decides over the capabilities of a container, besides its spec. */
export interface PrivilegeOptions {
  /** Those beyond the default ones that the agent's policy allows. */
  readonly allowed: readonly ContainerCapability[];
  readonly agentLimits: AgentLimits;
}

/**
 * The capabilities that a container gets. A default one that the agent lacks is left out.
 * @throws {ZorError} FAILED_PRECONDITION: an added one is not allowed here, or the agent does not have it.
 */
export function grantCapabilities(
  wanted: ContainerCapabilities | undefined,
  { allowed, agentLimits }: PrivilegeOptions,
): readonly ContainerCapability[] {
  const added = beyondDefault(wanted);
  const refused = added.filter((name) => !allowed.includes(name));
  if (refused.length > 0) {
    throw failedPrecondition(
      "POLICY",
      "",
      `this host's policy does not allow the capability ${refused.join(", ")}; its agent's containerCapabilities setting changes that`,
    );
  }
  const lacking = added.filter((name) => !agentLimits.capabilities.includes(name));
  if (lacking.length > 0) {
    throw failedPrecondition(
      "CAPABILITY_MISSING",
      "",
      `the agent itself does not have the capability ${lacking.join(", ")} on this host, so no container of it can`,
    );
  }
  return effectiveCapabilities(wanted).filter((name) => agentLimits.capabilities.includes(name));
}
