import type { Handlers } from "../lib/grpc/service.js";
import { apiLevel, version } from "../lib/program.js";
import type { AgentServiceService, HelloResponse } from "../proto/gen/zor/agent/v1/agent_service.js";

/** What an agent tells of itself when a session begins. */
export type AgentFacts = Omit<HelloResponse, "agentVersion" | "apiLevel" | "pid">;

/** What the service works with. */
export interface AgentServiceOptions {
  readonly readFacts: () => AgentFacts;
  /** Replaces the list of revoked certificates; in force even when it rejects because it could not be stored. */
  readonly setRevoked: (serials: readonly string[]) => Promise<void>;
  /** The hub does not use this agent, and why. */
  readonly onRefused: (why: string) => void;
  readonly logError: (error: unknown, message: string) => void;
}

/** What only a hub asks: who this is and whether it is alive; and what only a hub tells: who is locked out. */
export function agentService(options: AgentServiceOptions): Handlers<typeof AgentServiceService> {
  return {
    hello: async ({ minApiLevel, maxApiLevel, revokedSerials, refusal }) => {
      if (refusal !== "") options.onRefused(refusal);
      // A full disk must not cost the session.
      await options
        .setRevoked(revokedSerials)
        .catch((error: unknown) => options.logError(error, "the revoked certificates could not be stored"));
      return {
        ...options.readFacts(),
        agentVersion: version,
        apiLevel: minApiLevel <= apiLevel && apiLevel <= maxApiLevel ? apiLevel : 0,
        pid: BigInt(process.pid),
      };
    },
    ping: async () => ({}),
    setRevocations: async ({ revokedSerials }) => {
      await options.setRevoked(revokedSerials);
      return {};
    },
  };
}
