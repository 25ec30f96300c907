import { status } from "@grpc/grpc-js";
import { callerUris, forwardedCallerKey } from "../../lib/auth/caller.js";
import { unavailable, ZorError } from "../../lib/errors.js";
import type { Method } from "../../lib/grpc/connection.js";
import type { CallContext } from "../../lib/grpc/service.js";
import { findLieInAnswer } from "../fleet/credible.js";
import type { Fleet } from "../fleet/fleet.js";
import type { ReadyAgent } from "../fleet/session.js";
import { ofHost } from "./of-host.js";

/** Deadline of a routed call whose caller gave none. */
const defaultTimeoutMs = 60_000;
/** Kept back from the caller's deadline, so that the agent's answer or the hub's error arrives before it. */
const reserveMs = 200;

/** Sends calls to the agent of a host, unchanged, on behalf of their caller. */
export class Router {
  readonly #fleet: Fleet;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Whether the host's agent can be asked now. */
  isReady(host: string): boolean {
    return this.#fleet.findReady(host) !== undefined;
  }

  /** @throws {ZorError} NOT_FOUND or UNAVAILABLE for the host; else what the agent says. */
  async unary<Request, Response>(
    method: Method<Request, Response>,
    host: string,
    request: Request,
    context: CallContext,
  ): Promise<Response> {
    const agent = this.#fleet.agent(host);
    const remainingMs = context.remainingMs();
    const timeoutMs = Number.isFinite(remainingMs) ? Math.max(1, remainingMs - reserveMs) : defaultTimeoutMs;
    const signal = AbortSignal.any([context.signal, agent.signal]);
    try {
      const options = { timeoutMs, signal, metadata: metadataOf(context) };
      return this.#believed(host, await agent.connection.unary(method, request, options));
    } catch (error) {
      throw lost(agent, context, host) ?? ofHost(error, agent, host);
    }
  }

  /** An agent's answer, when it speaks of its own host. */
  #believed<Response>(host: string, answer: Response): Response {
    const why = findLieInAnswer(host, answer);
    if (why === undefined) return answer;
    const name = `hosts/${host}`;
    this.#fleet.refuse(host, { name, why });
    throw new ZorError({
      reason: "HOST_NOT_BELIEVED",
      code: status.DATA_LOSS,
      message: `${name}: the answer of its agent was refused (${why}); what was asked may have been done; look at the host: its agent is broken, or not its own`,
      resource: name,
    });
  }

  /** Like {@link unary}, for a stream both ways. Neither side is read faster than the other takes it. */
  async *bidi<Request, Response>(
    method: Method<Request, Response>,
    host: string,
    requests: AsyncIterable<Request>,
    context: CallContext,
  ): AsyncIterable<Response> {
    const agent = this.#fleet.agent(host);
    const signal = AbortSignal.any([context.signal, agent.signal]);
    try {
      yield* agent.connection.bidi(method, requests, { signal, metadata: metadataOf(context) });
    } catch (error) {
      throw lost(agent, context, host) ?? ofHost(error, agent, host);
    }
  }
}

function metadataOf({ caller }: CallContext): Record<string, string> {
  // Another hub already speaks for its own callers; it has no identity that an agent could be told of.
  return caller.kind === "hub" ? {} : { [forwardedCallerKey]: callerUris(caller).join(" ") };
}

function lost(agent: ReadyAgent, context: CallContext, host: string): Error | undefined {
  if (!agent.signal.aborted || context.signal.aborted) return undefined;
  return unavailable(
    "HOST_LOST",
    `hosts/${host}`,
    `hosts/${host} was lost during the call: it may have been carried out or not; look at the resource when the host is back`,
  );
}
