import type { Handlers } from "../../lib/grpc/service.js";
import { apiLevel, version } from "../../lib/program.js";
import type { AgentServiceService, HelloResponse } from "../../proto/gen/zor/agent/v1/agent_service.js";

/** What an agent tells of itself when a session begins. */
export type AgentFacts = Omit<HelloResponse, "agentVersion" | "apiLevel" | "pid">;

/** What only a hub asks: who this is and whether it is alive. */
export function agentService(readFacts: () => AgentFacts): Handlers<typeof AgentServiceService> {
  return {
    hello: async ({ minApiLevel, maxApiLevel }) => ({
      ...readFacts(),
      agentVersion: version,
      apiLevel: minApiLevel <= apiLevel && apiLevel <= maxApiLevel ? apiLevel : 0,
      pid: BigInt(process.pid),
    }),
    ping: async () => ({}),
  };
}
