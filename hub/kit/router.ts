import { status } from "@grpc/grpc-js";
import { callerUris, forwardedCallerKey, forwardedPeerKey } from "../../lib/auth/caller.js";
import { unavailable, ZorError } from "../../lib/errors.js";
import { passedOn } from "../../lib/events/call-trail.js";
import type { Method } from "../../lib/grpc/connection.js";
import type { CallContext } from "../../lib/grpc/service.js";
import { findLieInAnswer } from "../fleet/credible.js";
import type { Fleet } from "../fleet/fleet.js";
import { lastSeenText } from "../fleet/host-record.js";
import type { ReadyAgent } from "../fleet/session.js";
import { ofHost } from "./of-host.js";

/** Deadline of a routed call whose caller gave none. */
const defaultTimeoutMs = 60_000;
/** Kept back from the caller's deadline, so that the agent's answer or the hub's error arrives before it. */
const reserveMs = 200;

/** Where a call goes. */
export interface RoutedCall<Request> {
  /** Id of the host. */
  readonly host: string;
  readonly request: Request;
  /** Longest time for the answer in milliseconds, if the caller's deadline leaves that; default: all it leaves. */
  readonly atMostMs?: number;
}

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

  /** When the host was last heard, for people: "hosts/alpha did not answer, last seen 3 s ago". */
  silenceOf(host: string): string {
    const now = new Date();
    return `hosts/${host} did not answer, ${lastSeenText(this.#fleet.get(host, now).lastSeenTime, now)}`;
  }

  /**
   * Asks the agent, within what the caller's deadline leaves, and within `atMostMs`.
   * @throws {ZorError} NOT_FOUND or UNAVAILABLE for the host; else what the agent says.
   */
  async unary<Request, Response>(
    method: Method<Request, Response>,
    { host, request, atMostMs = Number.POSITIVE_INFINITY }: RoutedCall<Request>,
    context: CallContext,
  ): Promise<Response> {
    const agent = this.#fleet.agent(host);
    passedOn();
    const remainingMs = context.remainingMs();
    const leftMs = Number.isFinite(remainingMs) ? Math.max(1, remainingMs - reserveMs) : defaultTimeoutMs;
    const timeoutMs = Math.min(leftMs, atMostMs);
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

  /** Like {@link unary}, for a stream of answers, which is not read faster than the caller takes it. */
  async *stream<Request, Response>(
    method: Method<Request, Response>,
    { host, request }: RoutedCall<Request>,
    context: CallContext,
  ): AsyncIterable<Response> {
    const agent = this.#fleet.agent(host);
    passedOn();
    const signal = AbortSignal.any([context.signal, agent.signal]);
    try {
      yield* agent.connection.stream(method, request, { signal, metadata: metadataOf(context) });
    } catch (error) {
      throw lost(agent, context, host) ?? ofHost(error, agent, host);
    }
  }

  /** Like {@link unary}, for a stream both ways. Neither side is read faster than the other takes it. */
  async *bidi<Request, Response>(
    method: Method<Request, Response>,
    { host, request: requests }: RoutedCall<AsyncIterable<Request>>,
    context: CallContext,
  ): AsyncIterable<Response> {
    const agent = this.#fleet.agent(host);
    passedOn();
    const signal = AbortSignal.any([context.signal, agent.signal]);
    try {
      yield* agent.connection.bidi(method, requests, { signal, metadata: metadataOf(context) });
    } catch (error) {
      throw lost(agent, context, host) ?? ofHost(error, agent, host);
    }
  }
}

function metadataOf({ caller, peer }: CallContext): Record<string, string> {
  // Another hub already speaks for its own callers; it has no identity that an agent could be told of.
  if (caller.kind === "hub") return {};
  return { [forwardedCallerKey]: callerUris(caller).join(" "), [forwardedPeerKey]: peer };
}

function lost(agent: ReadyAgent, context: CallContext, host: string): Error | undefined {
  if (!agent.signal.aborted || context.signal.aborted) return undefined;
  return unavailable(
    "HOST_LOST",
    `hosts/${host}`,
    `hosts/${host} was lost during the call: it may have been carried out or not; look at the resource when the host is back`,
  );
}
