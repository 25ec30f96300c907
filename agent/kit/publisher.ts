import type { WatchLog } from "../../lib/watch/watch-log.js";
import { A2b } from "../../proto/gen/zor/v1/a2b.js";
import { Host } from "../../proto/gen/zor/v1/host.js";
import { Instance } from "../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";

/** Longest time in milliseconds that watchers see an observe_time grow old while nothing else changes. */
const maxAgeMs = 15_000;

/** Puts resources into the watch log, but not each time only their age has changed. */
export class Publisher {
  readonly #log: WatchLog;
  readonly #host: string;
  readonly #published = new Map<string, { readonly content: string; readonly timeMs: number }>();

  constructor(log: WatchLog, host: string) {
    this.#log = log;
    this.#host = host;
  }

  instance(instance: Instance): void {
    const { status } = instance;
    const timeless = { ...instance, status: status === undefined ? undefined : { ...status, observeTime: undefined } };
    if (this.#isNews(instance.name, Instance.encode(timeless).finish())) {
      this.#log.upsert({ kind: "instance", value: instance });
    }
  }

  lan(lan: Lan): void {
    const { status } = lan;
    const timeless = { ...lan, status: status === undefined ? undefined : { ...status, observeTime: undefined } };
    if (this.#isNews(lan.name, Lan.encode(timeless).finish())) this.#log.upsert({ kind: "lan", value: lan });
  }

  host(host: Host): void {
    const timeless = { ...host, lastSeenTime: undefined, lastSeenAge: undefined };
    if (this.#isNews(host.name, Host.encode(timeless).finish())) this.#log.upsert({ kind: "host", value: host });
  }

  a2b(a2b: A2b): void {
    if (this.#isNews(a2b.name, A2b.encode(a2b).finish())) this.#log.upsert({ kind: "a2b", value: a2b });
  }

  removed(kind: string, name: string): void {
    this.#published.delete(name);
    this.#log.remove(kind, name);
  }

  event(event: Omit<Event, "name" | "time">): void {
    this.#log.recordEvent(`hosts/${this.#host}/events`, event);
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
