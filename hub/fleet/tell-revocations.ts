import { Backoff } from "../../lib/backoff.js";
import type { Calls } from "../../lib/grpc/connection.js";
import type { Log } from "../../lib/log.js";
import { AgentServiceService } from "../../proto/gen/zor/agent/v1/agent_service.js";

/** What agents are told of revoked certificates. */
export interface RevokedSerials {
  /** The list as it is now; another array after every change. */
  readonly revokedSerials: readonly string[];
  /** Calls back after each change until the returned function is called. */
  onRevocation(listener: () => void): () => void;
}

const tellTimeoutMs = 3000;

/** Tells an agent the list of revoked certificates after every change since `told`, until the signal aborts; tries until it is told. */
export async function tellRevocations(options: {
  readonly connection: Calls;
  readonly revocations: RevokedSerials;
  /** The list the agent has. */
  readonly told: readonly string[];
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { connection, revocations, log, signal } = options;
  const backoff = new Backoff({ minMs: 250, maxMs: 10_000 });
  let { told } = options;
  while (!signal.aborted) {
    const { revokedSerials } = revocations;
    if (revokedSerials === told) {
      await changed(revocations, signal);
      continue;
    }
    try {
      const request = { revokedSerials: [...revokedSerials] };
      await connection.unary(AgentServiceService.setRevocations, request, { timeoutMs: tellTimeoutMs, signal });
      told = revokedSerials;
      backoff.reset();
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, "an agent could not be told of revoked certificates; trying again");
      await backoff.wait(signal);
    }
  }
}

async function changed(revocations: RevokedSerials, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const settle = (): void => resolve();
  const stop = revocations.onRevocation(settle);
  signal.addEventListener("abort", settle, { once: true });
  if (signal.aborted) settle();
  await promise;
  signal.removeEventListener("abort", settle);
  stop();
}
