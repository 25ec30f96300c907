import { z } from "zod";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { Backoff } from "../../../lib/backoff.js";
import { isAlive, type ProcessIdentity } from "../../../lib/process.js";
import type { DriverEvent } from "../driver.js";
import { uidLabel, uidOfName } from "./container-state.js";
import type { EngineClient } from "./engine-client.js";
import { readJsonLines } from "./json-lines.js";

const maxQueuedEvents = 4096;
const [minRetryMs, maxRetryMs] = [200, 5000];

const eventSchema = z.object({
  Type: z.string().optional(),
  Action: z.string(),
  Actor: z.object({
    ID: z.string().default(""),
    Attributes: z
      .record(z.string(), z.string())
      .nullish()
      .transform((attributes) => attributes ?? {}),
  }),
});

/** What engines call what happens to a container, and what drivers do. What is in none of these changes nothing. */
const types: Readonly<Record<string, string>> = {
  start: "started",
  die: "exited",
  // podman's words for the last two.
  died: "exited",
  pause: "paused",
  unpause: "resumed",
  destroy: "removed",
  remove: "removed",
  oom: "out-of-memory",
  // How often it may be started again by its engine, for instance.
  update: "updated",
};

/**
 * Follows what happens to the containers of instances: one connection for all of them, made when there is one. It tells of all of
 * them whenever it was cut, and when it is back: nothing that happened in between is missed, it only is not told one by one.
 */
export class EngineEvents {
  readonly #client: EngineClient;
  readonly #queue = new AsyncQueue<DriverEvent>(maxQueuedEvents);
  readonly #watched = new Map<string, ProcessIdentity | undefined>();
  readonly #onEvent: (uid: string) => void;
  #isConnected = false;
  #wake = Promise.withResolvers<void>();

  /** @param onEvent told before anybody else is. */
  constructor(client: EngineClient, onEvent: (uid: string) => void) {
    this.#client = client;
    this.#onEvent = onEvent;
  }

  /** Nothing that happens is missed now. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Begins to tell of an instance, with its first process while it runs. */
  watch(uid: string, first: ProcessIdentity | undefined): void {
    this.#watched.set(uid, first);
    this.#wake.resolve();
  }

  /** Ends telling of an instance. */
  forget(uid: string): void {
    this.#watched.delete(uid);
  }

  /** Tells of something. */
  emit(uid: string, type: string, message = ""): void {
    this.#onEvent(uid);
    this.#queue.push({ uid, type, message });
  }

  /** Has everybody look again. */
  emitAll(type: string, message: string): void {
    for (const uid of this.#watched.keys()) this.emit(uid, type, message);
  }

  /** All events until the signal aborts. One consumer. */
  async *events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    const following = this.#follow(signal);
    try {
      yield* this.#queue;
    } finally {
      await following;
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ minMs: minRetryMs, maxMs: maxRetryMs });
    signal.addEventListener("abort", () => this.#wake.resolve(), { once: true });
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      if (this.#watched.size === 0) await this.#wake.promise;
      if (signal.aborted) break;
      await this.#read(signal, backoff).catch(() => undefined);
      const wasConnected = this.#isConnected;
      this.#isConnected = false;
      if (wasConnected && !signal.aborted) this.emitAll("engine-gone", "the engine's events ended");
      await backoff.wait(signal);
    }
    this.#queue.end();
  }

  async #read(signal: AbortSignal, backoff: Backoff): Promise<void> {
    // podman (4.3) knows labels there only with their values: what is another's is let pass here.
    const label = this.#client.product === "docker" ? { label: [uidLabel] } : {};
    const filters = JSON.stringify({ type: ["container"], ...label });
    const stream = await this.#client.stream({ method: "GET", path: "/events", query: { filters }, signal });
    this.#isConnected = true;
    backoff.reset();
    // What happened before is not told: everybody looks once.
    this.emitAll("engine-back", "");
    try {
      for await (const value of readJsonLines(stream)) await this.#take(value);
    } finally {
      stream.destroy();
    }
  }

  async #take(value: unknown): Promise<void> {
    const { Action: action, Actor: actor } = eventSchema.parse(value);
    const uid = actor.Attributes[uidLabel] ?? uidOfName(actor.Attributes["name"] ?? "");
    // Docker: "health_status: healthy".
    const type = action.startsWith("health_status") ? "health" : types[action];
    if (uid === undefined || type === undefined || !this.#watched.has(uid)) return;
    // A container made from an image of ours has our label too: it is another one's end that is told then.
    const first = this.#watched.get(uid);
    const isOther = type === "exited" && first !== undefined && (await isAlive(first));
    if (!isOther) this.emit(uid, type);
    else this.#onEvent(uid);
  }
}
