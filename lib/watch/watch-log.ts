import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import type { WatchRequest, WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";
import { invalidArgument, ZorError } from "../errors.js";
import type { NamedMessage, ResourceTypes } from "../kinds/codecs.js";
import { allKinds } from "../kinds/kinds.js";
import { type AnyResource, checkKinds, pack } from "../kinds/resource.js";
import { parseName } from "../names.js";

type Step = NonNullable<WatchResponse["step"]>;
interface Change {
  readonly revision: bigint;
  readonly kind: string;
  readonly name: string;
  /** What every reader is told: one object, so that it is encoded once. */
  readonly response: WatchResponse;
}
/** A reader of the log. It holds no changes of its own: it remembers how far it has read. */
interface Reader {
  readonly wants: (kind: string, name: string) => boolean;
  /** Its watch goes on, when it waits for changes. */
  wake: (() => void) | undefined;
  /** Revision of the first change that it wants and that came while it waited. */
  news: bigint | undefined;
}

const wakesPerTurn = 16;

/** Bounds of a {@link WatchLog}. */
export interface WatchLogOptions {
  /** Changes kept for readers that resume, and how far a reader may stay behind; default 10,000. */
  readonly historyLength?: number;
  /** Newest events kept; default 500. */
  readonly eventLength?: number;
}

/**
 * All resources of a program with the log of their changes. One instance is one epoch: positions of another epoch, or too
 * old ones, make a watch begin again with a reset and a snapshot. Snapshot and position are taken in one synchronous step.
 */
export class WatchLog {
  readonly epoch: string = randomUUID();
  readonly #resources = new Map<string, Map<string, NamedMessage>>();
  readonly #history: Change[] = [];
  readonly #readers = new Set<Reader>();
  /** Readers that wait and for which there is news, woken a few in each turn of the loop. */
  readonly #toWake = new Set<Reader>();
  #waking: NodeJS.Immediate | undefined;
  readonly #historyLength: number;
  readonly #eventLength: number;
  #revision = 0n;

  constructor(options: WatchLogOptions = {}) {
    this.#historyLength = options.historyLength ?? 10_000;
    this.#eventLength = options.eventLength ?? 500;
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** Makes or replaces a resource. */
  upsert(resource: AnyResource): void {
    const { kind, value } = resource;
    const ofKind = this.#ofKind(kind);
    ofKind.set(value.name, value);
    if (kind === "event" && ofKind.size > this.#eventLength) {
      const [oldest] = ofKind.keys();
      if (oldest !== undefined) ofKind.delete(oldest);
    }
    this.#append(kind, value.name, { $case: "upsert", value: pack(resource) });
  }

  /** Removes a resource; nothing happens when there is none. */
  remove(kind: string, name: string): void {
    if (!this.#ofKind(kind).delete(name)) return;
    this.#append(kind, name, { $case: "removed", value: { kind, name } });
  }

  /** Records an event under the next free name below `prefix` ("events" or "hosts/alpha/events"). */
  recordEvent(prefix: string, event: Omit<Event, "name" | "time">): Event {
    const named = { ...event, time: new Date(), name: `${prefix}/${this.epoch.slice(0, 8)}-${this.#revision + 1n}` };
    this.upsert({ kind: "event", value: named });
    return named;
  }

  /** One resource, as it is now. */
  find<K extends keyof ResourceTypes>(kind: K, name: string): ResourceTypes[K] | undefined;
  find(kind: string, name: string): NamedMessage | undefined;
  find(kind: string, name: string): NamedMessage | undefined {
    return this.#ofKind(kind).get(name);
  }

  /** All resources of a kind, in the order they were made. */
  list<K extends keyof ResourceTypes>(kind: K): ResourceTypes[K][];
  list(kind: string): NamedMessage[];
  list(kind: string): NamedMessage[] {
    return [...this.#ofKind(kind).values()];
  }

  /**
   * Serves a watch until the signal aborts. Whatever the number of changes, a reader costs no more than the snapshot it has not read.
   * @throws {ZorError} RESOURCE_EXHAUSTED at a reader that is too slow, with the position from which it resumes; INVALID_ARGUMENT for
   * a bad request.
   */
  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchResponse> {
    const bookmarkMs = 1000 * bookmarkSeconds(request);
    const reader: Reader = { wants: selector(request), wake: undefined, news: undefined };
    const begin = this.#begin(request, reader.wants);
    let after = begin.after;
    this.#readers.add(reader);
    const wake = (): void => reader.wake?.();
    signal.addEventListener("abort", wake, { once: true });
    let bookmarkDue = false;
    const bookmarks = setInterval(() => {
      bookmarkDue = true;
      wake();
    }, bookmarkMs);
    try {
      yield* begin.steps;
      while (!signal.aborted) {
        const change = this.#next(after, reader.wants);
        if (change !== undefined) {
          after = change.revision;
          yield change.response;
        } else if (bookmarkDue) {
          bookmarkDue = false;
          after = this.#revision;
          yield this.#response({ $case: "bookmark", value: { time: new Date() } });
        } else {
          await new Promise<void>((resolve) => {
            reader.wake = resolve;
          });
          reader.wake = undefined;
          // It has missed nothing, however much came that it does not want and that is forgotten.
          after = (reader.news ?? this.#revision + 1n) - 1n;
          reader.news = undefined;
        }
      }
    } finally {
      clearInterval(bookmarks);
      signal.removeEventListener("abort", wake);
      this.#readers.delete(reader);
      this.#toWake.delete(reader);
    }
  }

  /** What a reader gets before changes, and after which revision those are. */
  #begin(request: WatchRequest, wants: Reader["wants"]): { steps: Iterable<WatchResponse>; after: bigint } {
    const { position } = request;
    const snapshot = (reason: string) => ({ steps: this.#snapshot(reason, wants), after: this.#revision });
    if (position === undefined) return snapshot("first snapshot");
    if (position.epoch !== this.epoch) return snapshot("other epoch");
    if (position.revision > this.#revision || position.revision + 1n < this.#oldest) {
      return snapshot("position compacted");
    }
    return { steps: [], after: position.revision };
  }

  /** The first change after a revision that a reader wants. @throws {ZorError} RESOURCE_EXHAUSTED when it may have been forgotten. */
  #next(after: bigint, wants: Reader["wants"]): Change | undefined {
    const oldest = this.#oldest;
    if (after + 1n < oldest) {
      throw new ZorError({
        reason: "WATCH_TOO_SLOW",
        code: status.RESOURCE_EXHAUSTED,
        message: "this reader does not keep up with the changes; resume from its last position",
        metadata: { epoch: this.epoch, revision: String(after) },
      });
    }
    for (let at = Number(after + 1n - oldest); at < this.#history.length; at += 1) {
      const change = this.#history[at];
      if (change !== undefined && wants(change.kind, change.name)) return change;
    }
    return undefined;
  }

  /** Of the changes that are kept; the next one when none is. */
  get #oldest(): bigint {
    return this.#history[0]?.revision ?? this.#revision + 1n;
  }

  /** What is there now, taken in one step; what it is told with is made when it is read. */
  #snapshot(reason: string, wants: Reader["wants"]): Iterable<WatchResponse> {
    const resources: AnyResource[] = [];
    for (const [kind, ofKind] of this.#resources) {
      for (const [name, value] of ofKind) if (wants(kind, name)) resources.push({ kind, value });
    }
    const end = this.#response({ $case: "snapshotEnd", value: {} });
    // A reader cut off inside a snapshot must begin again: its position is not one to resume from.
    const unfinished = { epoch: "", revision: 0n };
    const tell = (step: Step): WatchResponse => ({ position: unfinished, step });
    return (function* () {
      yield tell({ $case: "reset", value: { reason } });
      for (const resource of resources) yield tell({ $case: "upsert", value: pack(resource) });
      yield end;
    })();
  }

  #append(kind: string, name: string, step: Step): void {
    this.#revision += 1n;
    this.#history.push({ revision: this.#revision, kind, name, response: this.#response(step) });
    if (this.#history.length > this.#historyLength * 1.25) {
      this.#history.splice(0, this.#history.length - this.#historyLength);
    }
    for (const reader of this.#readers) {
      if (reader.wake === undefined || !reader.wants(kind, name)) continue;
      reader.news ??= this.#revision;
      this.#toWake.add(reader);
    }
    if (this.#toWake.size > 0) this.#waking ??= setImmediate(() => this.#wakeSome());
  }

  /** Many readers of one change must not hold up everything else. */
  #wakeSome(): void {
    this.#waking = undefined;
    let left = wakesPerTurn;
    for (const reader of this.#toWake) {
      if (left === 0) break;
      left -= 1;
      this.#toWake.delete(reader);
      reader.wake?.();
    }
    if (this.#toWake.size > 0) this.#waking = setImmediate(() => this.#wakeSome());
  }

  #response(step: Step): WatchResponse {
    return { position: { epoch: this.epoch, revision: this.#revision }, step };
  }

  #ofKind(kind: string): Map<string, NamedMessage> {
    const existing = this.#resources.get(kind);
    if (existing !== undefined) return existing;
    const made = new Map<string, NamedMessage>();
    this.#resources.set(kind, made);
    return made;
  }
}

function bookmarkSeconds(request: WatchRequest): number {
  if (request.bookmarkSeconds === 0) return 5;
  if (request.bookmarkSeconds >= 1 && request.bookmarkSeconds <= 60) return request.bookmarkSeconds;
  throw invalidArgument("bookmark_seconds", `${request.bookmarkSeconds} is not between 1 and 60`);
}

function selector(request: WatchRequest): Reader["wants"] {
  const kinds = new Set(request.kinds);
  checkKinds(
    "kinds",
    request.kinds,
    allKinds().map(({ singular }) => singular),
  );
  const { parent } = request;
  if (parent !== "") parseName("parent", parent);
  return (kind, name) =>
    (kinds.size === 0 || kinds.has(kind)) && (parent === "" || name === parent || name.startsWith(`${parent}/`));
}
