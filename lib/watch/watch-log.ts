import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import type { WatchRequest, WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";
import { ZorError } from "../errors.js";
import { leaveTrail } from "../events/call-trail.js";
import { Frames } from "../grpc/frames.js";
import type { NamedMessage, ResourceTypes } from "../kinds/codecs.js";
import type { AnyResource } from "../kinds/resource.js";
import { Kept } from "./kept.js";
import { KindIndex } from "./kind-index.js";
import { readRequest, type Wants } from "./request.js";
import { Told } from "./told.js";
import { Wakes } from "./wakes.js";

/** An event as it is recorded: its name and time are added. */
export type RecordedEvent = Omit<Event, "name" | "time">;

interface Change {
  readonly revision: bigint;
  readonly kind: string;
  readonly name: string;
  readonly told: Told;
}
/** A reader of the log. It holds no changes of its own but those that it is being told: it remembers how far it has read. */
interface Reader {
  readonly wants: Wants;
  /** Its watch goes on, when it waits for changes. */
  wake: (() => void) | undefined;
  /** Revision of the first change that it wants and that came while it waited. */
  news: bigint | undefined;
}

/** A part of the same program that follows resources. It must not change any while it is told. */
export interface Follower {
  /** A resource was made, or is another than `before`. */
  changed(resource: AnyResource, before: Kept | undefined): void;
  removed(before: Kept): void;
}

/** So many steps are told at once. */
const batchLength = 128;
/** A reader cut off inside a snapshot must begin again: its position is not one to resume from. */
const unfinished = { epoch: "", revision: 0n };

/** Bounds of a {@link WatchLog}. */
export interface WatchLogOptions {
  /** Changes kept for readers that resume, and how far a reader may stay behind; default 10,000. */
  readonly historyLength?: number;
  /** Newest events kept; default 500. */
  readonly eventLength?: number;
  /** The id of the next event that is recorded; default: made of epoch and revision. */
  readonly nextEventId?: () => string;
}

/**
 * All resources of a program with the log of their changes. One instance is one epoch: positions of another epoch, or too
 * old ones, make a watch begin again with a reset and a snapshot. Snapshot and position are taken in one synchronous step.
 */
export class WatchLog {
  readonly epoch: string = randomUUID();
  readonly #kinds = new Map<string, KindIndex>();
  /** Names of the events, oldest first. */
  readonly #events = new Set<string>();
  readonly #history: Change[] = [];
  readonly #readers = new Set<Reader>();
  readonly #wakes = new Wakes();
  readonly #followers = new Map<string, readonly Follower[]>();
  readonly #historyLength: number;
  readonly #eventLength: number;
  readonly #nextEventId: () => string;
  #revision = 0n;

  constructor(options: WatchLogOptions = {}) {
    this.#historyLength = options.historyLength ?? 10_000;
    this.#eventLength = options.eventLength ?? 500;
    this.#nextEventId = options.nextEventId ?? (() => `${this.epoch.slice(0, 8)}-${this.#revision + 1n}`);
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** Makes or replaces a resource, which nobody may change from now on. */
  upsert(resource: AnyResource): void {
    this.put(Kept.ofValue(resource));
  }

  /** Like {@link upsert}. @param value the resource as an object, where it is at hand. */
  put(kept: Kept, value?: NamedMessage): void {
    const { kind, name } = kept;
    const index = this.index(kind);
    const before = index.get(name);
    index.set(kept);
    if (kind === "event") this.#forgetEvents(name);
    this.#append(kind, name, kept);
    const followers = this.#followers.get(kind) ?? [];
    for (const follower of followers) follower.changed({ kind, value: value ?? kept.value }, before);
  }

  /** Removes a resource; nothing happens when there is none. */
  remove(kind: string, name: string): void {
    const index = this.index(kind);
    const before = index.get(name);
    if (before === undefined) return;
    index.delete(name);
    if (kind === "event") this.#events.delete(name);
    this.#append(kind, name, { $case: "removed", value: { kind, name } });
    for (const follower of this.#followers.get(kind) ?? []) follower.removed(before);
  }

  /** Records an event under the next free name below `prefix` ("events" or "hosts/alpha/events"). */
  recordEvent(prefix: string, event: RecordedEvent): Event {
    leaveTrail(event);
    const named = { ...event, time: new Date(), name: `${prefix}/${this.#nextEventId()}` };
    this.upsert({ kind: "event", value: named });
    return named;
  }

  /** Tells of all resources of some kinds, at once, and of every change in the moment in which it happens, for ever. */
  follow(kinds: readonly string[], follower: Follower): void {
    for (const kind of kinds) {
      this.#followers.set(kind, [...(this.#followers.get(kind) ?? []), follower]);
      for (const kept of this.index(kind).all("")) follower.changed({ kind, value: kept.value }, undefined);
    }
  }

  /** Tells of every change of resources of a kind from now on, in the moment in which it happens, until what is returned is called. */
  observe(kind: string, follower: Follower): () => void {
    this.#followers.set(kind, [...(this.#followers.get(kind) ?? []), follower]);
    return () => {
      const left = (this.#followers.get(kind) ?? []).filter((each) => each !== follower);
      this.#followers.set(kind, left);
    };
  }

  /** One resource, as it is now. Not to be changed. */
  find<K extends keyof ResourceTypes>(kind: K, name: string): ResourceTypes[K] | undefined;
  find(kind: string, name: string): NamedMessage | undefined;
  find(kind: string, name: string): NamedMessage | undefined {
    return this.index(kind).get(name)?.value;
  }

  /** All resources of a kind, those of one parent in the order they were made. Each may be decoded for it: for many see {@link index}. */
  list<K extends keyof ResourceTypes>(kind: K): ResourceTypes[K][];
  list(kind: string): NamedMessage[];
  list(kind: string): NamedMessage[] {
    return [...this.index(kind).all("")].map(({ value }) => value);
  }

  /** The resources of a kind, to be read only. */
  index(kind: string): KindIndex {
    const existing = this.#kinds.get(kind);
    if (existing !== undefined) return existing;
    const made = new KindIndex();
    this.#kinds.set(kind, made);
    return made;
  }

  /**
   * Serves a watch until the signal aborts. Whatever the number of changes, a reader costs no more than the snapshot it has not read.
   * @throws {ZorError} RESOURCE_EXHAUSTED at a reader that is too slow, with the position from which it resumes; INVALID_ARGUMENT for
   * a bad request.
   */
  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchResponse> {
    for await (const batch of this.#read(request, signal)) for (const told of batch) yield told.response;
  }

  /** Like {@link watch}, with all that can be told at once in the form in which it is sent: each change is encoded once for all readers. */
  async *frames(request: WatchRequest, signal: AbortSignal): AsyncIterable<Frames> {
    for await (const batch of this.#read(request, signal)) {
      const frames = batch.map(({ frame }) => frame);
      yield new Frames(Buffer.concat(frames), { position: batch.at(-1)?.position });
    }
  }

  async *#read(request: WatchRequest, signal: AbortSignal): AsyncIterable<readonly Told[]> {
    const { wants, bookmarkMs } = readRequest(request);
    const reader: Reader = { wants, wake: undefined, news: undefined };
    const begin = this.#begin(request, wants);
    let after = begin.after;
    this.#readers.add(reader);
    const wake = (): void => reader.wake?.();
    signal.addEventListener("abort", wake, { once: true });
    // A reader that goes on where it was is told so at once, if there is nothing else to tell.
    let bookmarkDue = request.position !== undefined;
    const bookmarks = setInterval(() => {
      bookmarkDue = true;
      wake();
    }, bookmarkMs);
    try {
      yield* begin.batches;
      while (!signal.aborted) {
        const changes = this.#next(after, wants);
        const last = changes.at(-1);
        if (last !== undefined) {
          after = last.revision;
          yield changes.map(({ told }) => told);
        } else if (bookmarkDue) {
          bookmarkDue = false;
          after = this.#revision;
          yield [new Told(this.#position, { $case: "bookmark", value: { time: new Date() } })];
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
      if (reader.wake !== undefined) this.#wakes.forget(reader.wake);
    }
  }

  /** What a reader gets before changes, and after which revision those are. */
  #begin(request: WatchRequest, wants: Wants): { batches: Iterable<readonly Told[]>; after: bigint } {
    const { position } = request;
    const snapshot = (reason: string) => ({ batches: this.#snapshot(reason, wants), after: this.#revision });
    if (position === undefined) return snapshot("first snapshot");
    if (position.epoch !== this.epoch) return snapshot("other epoch");
    if (position.revision > this.#revision || position.revision + 1n < this.#oldest) {
      return snapshot("position compacted");
    }
    return { batches: [], after: position.revision };
  }

  /** The first changes after a revision that a reader wants. @throws {ZorError} RESOURCE_EXHAUSTED when one may have been forgotten. */
  #next(after: bigint, wants: Wants): readonly Change[] {
    const oldest = this.#oldest;
    if (after + 1n < oldest) {
      throw new ZorError({
        reason: "WATCH_TOO_SLOW",
        code: status.RESOURCE_EXHAUSTED,
        message: "this reader does not keep up with the changes; resume from its last position",
        metadata: { epoch: this.epoch, revision: String(after) },
      });
    }
    const found: Change[] = [];
    for (let at = Number(after + 1n - oldest); at < this.#history.length && found.length < batchLength; at += 1) {
      const change = this.#history[at];
      if (change !== undefined && wants.has(change.kind, change.name)) found.push(change);
    }
    return found;
  }

  /** Of the changes that are kept; the next one when none is. */
  get #oldest(): bigint {
    return this.#history[0]?.revision ?? this.#revision + 1n;
  }

  get #position() {
    return { epoch: this.epoch, revision: this.#revision };
  }

  /** What is there now, taken in one step; what it is told with is made when it is read. */
  #snapshot(reason: string, wants: Wants): Iterable<readonly Told[]> {
    const all: Kept[] = [];
    for (const [kind, index] of this.#kinds) {
      if (!wants.kind(kind)) continue;
      if (kind === "event") {
        for (const kept of this.#keptEvents(index)) if (wants.has(kind, kept.name)) all.push(kept);
        continue;
      }
      const itself = index.get(wants.parent);
      if (itself !== undefined) all.push(itself);
      for (const kept of index.all(wants.parent)) all.push(kept);
    }
    const end = new Told(this.#position, { $case: "snapshotEnd", value: {} });
    return (function* () {
      yield [new Told(unfinished, { $case: "reset", value: { reason } })];
      for (let from = 0; from < all.length; from += batchLength) {
        yield all.slice(from, from + batchLength).map((kept) => new Told(unfinished, kept));
      }
      yield [end];
    })();
  }

  *#keptEvents(index: KindIndex): Iterable<Kept> {
    for (const name of this.#events) {
      const kept = index.get(name);
      if (kept !== undefined) yield kept;
    }
  }

  #forgetEvents(name: string): void {
    this.#events.add(name);
    const [oldest] = this.#events;
    if (this.#events.size <= this.#eventLength || oldest === undefined) return;
    this.#events.delete(oldest);
    this.index("event").delete(oldest);
  }

  #append(kind: string, name: string, what: ConstructorParameters<typeof Told>[1]): void {
    this.#revision += 1n;
    this.#history.push({ revision: this.#revision, kind, name, told: new Told(this.#position, what) });
    if (this.#history.length > this.#historyLength * 1.25) {
      this.#history.splice(0, this.#history.length - this.#historyLength);
    }
    for (const reader of this.#readers) {
      if (reader.wake === undefined || !reader.wants.has(kind, name)) continue;
      reader.news ??= this.#revision;
      this.#wakes.add(reader.wake);
    }
  }
}
