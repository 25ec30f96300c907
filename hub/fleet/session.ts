import { Backoff } from "../../lib/backoff.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Calls } from "../../lib/grpc/connection.js";
import type { Log } from "../../lib/log.js";
import { quote } from "../../lib/names.js";
import { AgentServiceService, type HelloResponse } from "../../proto/gen/zor/agent/v1/agent_service.js";
import { type Host, HostState } from "../../proto/gen/zor/v1/host.js";
import { type WatchResponse, WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";
import type { Inventory } from "../kit/inventory.js";
import { AgentFeed } from "./agent-feed.js";
import type { MetAgent } from "./copies.js";
import type { Greeted } from "./dial.js";
import { nothingRefused, type Refusals, type SessionView } from "./host-record.js";
import { readStep } from "./read-step.js";
import { bookmarkSeconds, keepAlive } from "./keep-alive.js";
import type { PartSession, SessionPart } from "./session-part.js";
import { type RevokedSerials, tellRevocations } from "./tell-revocations.js";

/** What a session needs. */
export interface SessionOptions {
  /** Id of the host. */
  readonly host: string;
  /** Connects to the agent and greets it; fails or gives up by itself within seconds per address. */
  readonly connect: (signal: AbortSignal, onFailure: (error: unknown) => void) => Promise<Greeted>;
  readonly inventory: Inventory;
  /** What kinds do in it beside. */
  readonly parts: readonly SessionPart[];
  readonly revocations: RevokedSerials;
  readonly log: Log;
  /** Told when something that the agent said was refused: the first time, the second, fifth, tenth, twentieth and so on. */
  readonly onRefused: (refused: Refusals) => void;
  /** Told after every change of the state, and when what the agent says of its host changes. */
  readonly onChange: () => void;
  /** What an earlier session found out, if there was one. */
  readonly previous: SessionView | undefined;
}

/** The agent that a session is with. */
export interface Incumbent extends MetAgent {
  /** Whether it still answers, asked now. */
  readonly answers: () => Promise<boolean>;
  /** Ends the session with it: another has its place. */
  readonly lose: (why: string) => void;
}

/** An agent that somebody else claims to be has this long to answer. */
const proofMs = 3000;

/** A connection that can be used for calls until `signal` aborts. */
export interface ReadyAgent {
  readonly connection: Calls;
  readonly hello: HelloResponse;
  readonly signal: AbortSignal;
}

/**
 * The hub's session with one agent: connects, watches, and connects again for ever. Whatever happens to it, what is known of
 * the host stays in the inventory. Sessions share nothing that could make one wait for another.
 */
export class HostSession {
  readonly #options: SessionOptions;
  readonly #feed: AgentFeed;
  readonly #backoff = new Backoff({ minMs: 250, maxMs: 4000 });
  readonly #stop = new AbortController();
  #state = HostState.HOST_STATE_CONNECTING;
  #reason = "connecting for the first time since the hub began";
  #lastSeen: Date | undefined;
  #rttMs: number | undefined;
  #reported: Host | undefined;
  #refused: Refusals;
  #hello: HelloResponse | undefined;
  #ready: ReadyAgent | undefined;
  #incumbent: Incumbent | undefined;
  #running: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#lastSeen = options.previous?.lastSeen;
    this.#reported = options.previous?.reported;
    this.#refused = options.previous?.refused ?? nothingRefused;
    this.#feed = new AgentFeed({
      host: options.host,
      inventory: options.inventory,
      onHost: (host) => {
        this.#reported = host;
        // What is told before the first snapshot is whole is shown with it.
        if (this.#ready !== undefined) options.onChange();
      },
      onRefused: (refused) => this.refuse(refused),
    });
  }

  /** Something that the agent said is not believed: it is counted and shown at the host. */
  refuse({ name, why }: { readonly name: string; readonly why: string }): void {
    const count = this.#refused.count + 1;
    this.#refused = { count, last: `${quote(name)}: ${why}` };
    // A liar must not make work for others: of many it is told less and less often.
    if (!isRound(count)) return;
    const { host, log, onRefused, onChange } = this.#options;
    log.warn({ host, name, why, count }, "a statement of an agent was refused");
    onRefused(this.#refused);
    onChange();
  }

  get view(): SessionView {
    return {
      state: this.#state,
      reason: this.#reason,
      lastSeen: this.#lastSeen,
      rttMs: this.#rttMs,
      reported: this.#reported,
      refused: this.#refused,
    };
  }

  /** What the agent said of itself when it was last greeted. */
  get hello(): HelloResponse | undefined {
    return this.#hello;
  }

  /** The agent that was greeted and is not lost yet. */
  get incumbent(): Incumbent | undefined {
    return this.#incumbent;
  }

  /** The agent while its state is READY. */
  get ready(): ReadyAgent | undefined {
    return this.#ready;
  }

  /** Begins, when `after` has settled: the session before must have let go of the host. */
  start(after: Promise<void> | undefined): void {
    this.#running ??= (after ?? Promise.resolve()).then(() => this.#run(this.#stop.signal));
  }

  /** Ends the session and waits until it has ended. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        const greeted = await this.#options.connect(stop, (error) => this.#fail(error));
        try {
          await this.#serve(greeted, stop);
        } finally {
          greeted.close();
        }
      } catch (error) {
        if (!stop.aborted) this.#fail(error);
      }
      await this.#backoff.wait(stop);
    }
  }

  /** Runs until the agent is lost; always ends with an error unless stopped. */
  async #serve(greeted: Greeted, stop: AbortSignal): Promise<void> {
    const lost = new AbortController();
    const { signal } = lost;
    // A signal made of two costs as much as a call.
    const onStop = (): void => lost.abort();
    stop.addEventListener("abort", onStop, { once: true });
    if (stop.aborted) onStop();
    this.#alive();
    this.#hello = greeted.hello;
    const displaced = Promise.withResolvers<never>();
    this.#incumbent = incumbentOf(greeted, signal, (why) => displaced.reject(new Error(why)));
    const { host } = this.#options;
    const session: PartSession = {
      host,
      connection: greeted.connection,
      heard: () => this.#alive(),
      refuse: (refused) => this.refuse(refused),
    };
    const parts = [
      keepAlive({
        signal,
        heard: () => this.#lastSeen,
        ping: async (timeoutMs) => {
          const begin = performance.now();
          await greeted.connection.unary(AgentServiceService.ping, {}, { timeoutMs, signal });
          this.#rttMs = performance.now() - begin;
          this.#alive();
        },
      }),
      this.#watch(greeted, signal),
      ...this.#options.parts.map((part) => part.run(session, signal)),
      tellRevocations({
        connection: greeted.connection,
        revocations: this.#options.revocations,
        told: greeted.toldRevoked,
        log: this.#options.log,
        signal,
      }),
    ];
    try {
      await Promise.race([...parts, displaced.promise]);
    } finally {
      this.#ready = undefined;
      this.#incumbent = undefined;
      lost.abort();
      stop.removeEventListener("abort", onStop);
      await Promise.allSettled(parts);
      for (const part of this.#options.parts) part.lost(host);
    }
  }

  async #watch(greeted: Greeted, signal: AbortSignal): Promise<void> {
    const request = { kinds: [], position: this.#feed.position, bookmarkSeconds, parent: "" };
    const take = (step: WatchResponse): void => {
      this.#alive();
      if (this.#feed.apply(step) && this.#ready === undefined && !signal.aborted) {
        this.#ready = { connection: greeted.connection, hello: greeted.hello, signal };
        this.#backoff.reset();
        this.#set(HostState.HOST_STATE_READY, "");
        greeted.settled();
      }
    };
    const watch = { ...WatchServiceService.watch, responseDeserialize: readStep };
    await greeted.connection.read(watch, request, { signal, take });
    throw new Error("the agent ended the watch");
  }

  #alive(): void {
    this.#lastSeen = new Date();
  }

  #fail(error: unknown): void {
    const incompatible = error instanceof ZorError && error.reason === "INCOMPATIBLE";
    this.#set(incompatible ? HostState.HOST_STATE_INCOMPATIBLE : HostState.HOST_STATE_UNREACHABLE, messageOf(error));
  }

  #set(state: HostState, reason: string): void {
    if (this.#state === state && this.#reason === reason) return;
    const level = state === this.#state ? "debug" : "info";
    this.#options.log[level]({ host: this.#options.host, state: HostState[state], reason }, "host state");
    this.#state = state;
    this.#reason = reason;
    this.#options.onChange();
  }
}

function incumbentOf({ hello, peer, connection }: Greeted, signal: AbortSignal, lose: Incumbent["lose"]): Incumbent {
  let asking: Promise<boolean> | undefined;
  const ask = async (): Promise<boolean> => {
    try {
      await connection.unary(AgentServiceService.ping, {}, { timeoutMs: proofMs, signal });
      return true;
    } catch {
      return false;
    } finally {
      asking = undefined;
    }
  };
  // Many may claim at once; one question answers them all.
  const answers = (): Promise<boolean> => (asking ??= ask());
  return { boot: hello.epoch, address: peer, answers, lose };
}

/** 1, 2, 5, 10, 20, 50 and so on. */
function isRound(count: number): boolean {
  const power = 10 ** Math.floor(Math.log10(count));
  return [1, 2, 5].includes(count / power);
}
