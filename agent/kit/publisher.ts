import type { NamedMessage } from "../../lib/kinds/codecs.js";
import { codecOf } from "../../lib/kinds/codecs.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";
import type { EventDraft } from "./events.js";

/** Longest time in milliseconds that watchers see an observe_time grow old while nothing else changes. */
const maxAgeMs = 15_000;

/** Told how a resource of another kind is now; undefined: it is gone. */
export type ChangeListener = (name: string, resource: NamedMessage | undefined) => void;

/** Puts resources into the watch log, but not each time only their age has changed. */
export class Publisher {
  readonly #log: WatchLog;
  readonly #host: string;
  readonly #listeners: { readonly kind: string; readonly tell: ChangeListener }[] = [];
  readonly #published = new Map<string, { readonly content: string; readonly timeMs: number }>();

  constructor(log: WatchLog, host: string) {
    this.#log = log;
    this.#host = host;
  }

  /** Has a kind told of the changes of another. @param kind singular. */
  listen(kind: string, tell: ChangeListener): void {
    this.#listeners.push({ kind, tell });
  }

  /**
   * Tells watchers how a resource is. @param kind its singular.
   * @param timeless the resource without what grows old by itself; default: without status.observe_time.
   */
  publish(kind: string, resource: NamedMessage, timeless: NamedMessage = withoutObserveTime(resource)): void {
    if (!this.#isNews(resource.name, codecOf(kind).encode(timeless).finish())) return;
    this.#log.upsert({ kind, value: resource });
    this.#tell(kind, resource.name, resource);
  }

  /** Tells watchers that a resource is gone. */
  removed(kind: string, name: string): void {
    this.#published.delete(name);
    this.#log.remove(kind, name);
    this.#tell(kind, name, undefined);
  }

  /** Tells watchers that something happened. */
  event(event: EventDraft): void {
    this.#log.recordEvent(`hosts/${this.#host}/events`, event);
  }

  #tell(kind: string, name: string, resource: NamedMessage | undefined): void {
    for (const listener of this.#listeners) if (listener.kind === kind) listener.tell(name, resource);
  }

  #isNews(name: string, encoded: Uint8Array): boolean {
    const content = Buffer.from(encoded).toString("latin1");
    const before = this.#published.get(name);
    const now = performance.now();
    if (before !== undefined && before.content === content && now - before.timeMs < maxAgeMs) return false;
    this.#published.set(name, { content, timeMs: now });
    return true;
  }
}

function withoutObserveTime(resource: NamedMessage): NamedMessage {
  const status = "status" in resource ? resource.status : undefined;
  if (typeof status !== "object" || status === null || !("observeTime" in status)) return resource;
  return { ...resource, status: { ...status, observeTime: undefined } } as NamedMessage;
}
