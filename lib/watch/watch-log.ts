import { randomUUID } from "node:crypto";
import type { Event, ResourceKind, WatchRequest, WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";
import { ResourceKind as Kind } from "../../proto/gen/zor/v1/watch_service.js";
import { AsyncQueue } from "../async-queue.js";
import { invalidArgument, resourceExhausted } from "../errors.js";
import { parseName } from "../names.js";
import { type AnyResource, kindByCase, kindOf, nameOf, type ResourceValues } from "./kinds.js";

type Step = NonNullable<WatchResponse["step"]>;
interface Change {
  readonly revision: bigint;
  readonly kind: ResourceKind;
  readonly name: string;
  readonly step: Step;
}
interface Subscriber {
  readonly wants: (kind: ResourceKind, name: string) => boolean;
  readonly queue: AsyncQueue<WatchResponse>;
}

const knownKinds: ReadonlySet<ResourceKind> = new Set(Object.values(kindByCase));

/** Bounds of a {@link WatchLog}. */
export interface WatchLogOptions {
  /** Changes kept for readers that resume; default 10,000. */
  readonly historyLength?: number;
  /** Newest events kept; default 500. */
  readonly eventLength?: number;
  /** Steps queued for one reader before it is ended; default 20,000. */
  readonly queueLength?: number;
}

/**
 * All resources of a program with the log of their changes. One instance is one epoch: positions of another epoch, or too
 * old ones, make a watch begin again with a reset and a snapshot. Snapshot and position are taken in one synchronous step.
 */
export class WatchLog {
  readonly epoch: string = randomUUID();
  readonly #resources = new Map<ResourceKind, Map<string, AnyResource>>();
  readonly #history: Change[] = [];
  readonly #subscribers = new Set<Subscriber>();
  readonly #historyLength: number;
  readonly #eventLength: number;
  readonly #queueLength: number;
  #revision = 0n;

  constructor(options: WatchLogOptions = {}) {
    this.#historyLength = options.historyLength ?? 10_000;
    this.#eventLength = options.eventLength ?? 500;
    this.#queueLength = options.queueLength ?? 20_000;
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** Makes or replaces a resource. */
  upsert(resource: AnyResource): void {
    const kind = kindOf(resource);
    const ofKind = this.#ofKind(kind);
    ofKind.set(nameOf(resource), resource);
    if (kind === Kind.RESOURCE_KIND_EVENT && ofKind.size > this.#eventLength) {
      const [oldest] = ofKind.keys();
      if (oldest !== undefined) ofKind.delete(oldest);
    }
    this.#append(kind, nameOf(resource), { $case: "upsert", value: { resource } });
  }

  /** Removes a resource; nothing happens when there is none. */
  remove(kind: ResourceKind, name: string): void {
    if (!this.#ofKind(kind).delete(name)) return;
    this.#append(kind, name, { $case: "removed", value: { kind, name } });
  }

  /** Records an event under the next free name below `prefix` ("events" or "hosts/alpha/events"). */
  recordEvent(prefix: string, event: Omit<Event, "name" | "time">): Event {
    const named = { ...event, time: new Date(), name: `${prefix}/${this.epoch.slice(0, 8)}-${this.#revision + 1n}` };
    this.upsert({ $case: "event", value: named });
    return named;
  }

  /** One resource, as it is now. */
  find<Case extends AnyResource["$case"]>(wanted: Case, name: string): ResourceValues[Case] | undefined {
    // The map of a kind holds only resources of that case.
    return this.#ofKind(kindByCase[wanted]).get(name)?.value as ResourceValues[Case] | undefined;
  }

  /** All resources of a kind, in the order they were made. */
  list<Case extends AnyResource["$case"]>(wanted: Case): ResourceValues[Case][] {
    return [...this.#ofKind(kindByCase[wanted]).values()].map((resource) => resource.value as ResourceValues[Case]);
  }

  /**
   * Serves a watch until the signal aborts. @throws {ZorError} RESOURCE_EXHAUSTED at a reader that is too slow: it resumes from
   * the last position it saw; INVALID_ARGUMENT for a bad request.
   */
  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchResponse> {
    const bookmarkMs = 1000 * bookmarkSeconds(request);
    const wants = selector(request);
    const queue = new AsyncQueue<WatchResponse>(this.#queueLength);
    const subscriber: Subscriber = { wants, queue };
    const first = this.#begin(request, wants);
    this.#subscribers.add(subscriber);
    const onAbort = (): void => queue.end();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) queue.end();
    const bookmarks = setInterval(() => {
      if (queue.size === 0) queue.push(this.#response({ $case: "bookmark", value: { time: new Date() } }));
    }, bookmarkMs);
    try {
      yield* first;
      yield* queue;
    } finally {
      clearInterval(bookmarks);
      signal.removeEventListener("abort", onAbort);
      this.#subscribers.delete(subscriber);
    }
  }

  // What a reader gets before live changes: what it missed, or a reset and a snapshot.
  #begin(request: WatchRequest, wants: Subscriber["wants"]): WatchResponse[] {
    const { position } = request;
    if (position === undefined) return this.#snapshot("first snapshot", wants);
    if (position.epoch !== this.epoch) return this.#snapshot("other epoch", wants);
    const oldest = this.#history[0]?.revision ?? this.#revision + 1n;
    if (position.revision > this.#revision || position.revision + 1n < oldest) {
      return this.#snapshot("position compacted", wants);
    }
    return this.#history
      .filter((change) => change.revision > position.revision && wants(change.kind, change.name))
      .map((change) => ({ position: { epoch: this.epoch, revision: change.revision }, step: change.step }));
  }

  #snapshot(reason: string, wants: Subscriber["wants"]): WatchResponse[] {
    const steps: WatchResponse[] = [this.#response({ $case: "reset", value: { reason } })];
    for (const [kind, resources] of this.#resources) {
      for (const [name, resource] of resources) {
        if (wants(kind, name)) steps.push(this.#response({ $case: "upsert", value: { resource } }));
      }
    }
    // A reader cut off inside a snapshot must begin again: its position is not one to resume from.
    const unfinished = { epoch: "", revision: 0n };
    return [
      ...steps.map((step) => ({ ...step, position: unfinished })),
      this.#response({ $case: "snapshotEnd", value: {} }),
    ];
  }

  #append(kind: ResourceKind, name: string, step: Step): void {
    this.#revision += 1n;
    this.#history.push({ revision: this.#revision, kind, name, step });
    if (this.#history.length > this.#historyLength * 1.25) {
      this.#history.splice(0, this.#history.length - this.#historyLength);
    }
    const response = this.#response(step);
    for (const subscriber of this.#subscribers) {
      if (!subscriber.wants(kind, name) || subscriber.queue.push(response)) continue;
      this.#subscribers.delete(subscriber);
      subscriber.queue.fail(
        resourceExhausted(
          "WATCH_TOO_SLOW",
          "this reader does not keep up with the changes; resume from its last position",
        ),
      );
    }
  }

  #response(step: Step): WatchResponse {
    return { position: { epoch: this.epoch, revision: this.#revision }, step };
  }

  #ofKind(kind: ResourceKind): Map<string, AnyResource> {
    const existing = this.#resources.get(kind);
    if (existing !== undefined) return existing;
    const made = new Map<string, AnyResource>();
    this.#resources.set(kind, made);
    return made;
  }
}

function bookmarkSeconds(request: WatchRequest): number {
  if (request.bookmarkSeconds === 0) return 5;
  if (request.bookmarkSeconds >= 1 && request.bookmarkSeconds <= 60) return request.bookmarkSeconds;
  throw invalidArgument("bookmark_seconds", `${request.bookmarkSeconds} is not between 1 and 60`);
}

function selector(request: WatchRequest): Subscriber["wants"] {
  const kinds = new Set(request.kinds);
  const unknown = request.kinds.find((kind) => !knownKinds.has(kind));
  if (unknown !== undefined) throw invalidArgument("kinds", `${unknown} is not a kind of resource`);
  const { parent } = request;
  if (parent !== "") parseName("parent", parent);
  return (kind, name) =>
    (kinds.size === 0 || kinds.has(kind)) && (parent === "" || name === parent || name.startsWith(`${parent}/`));
}
