import { messageOf } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import { findDevice } from "../../../lib/net/device.js";
import { KernelNews } from "./kernel-news.js";
import { assertRedirects, isRedirected, redirect, stopRedirect } from "./redirect.js";

/** Two ports of the switch's namespace, each of which gets what the other takes in. */
export interface PortPair {
  readonly a: string;
  readonly b: string;
}

interface Entry {
  readonly pair: PortPair;
  /** Why nothing is forwarded; "": it is. */
  fault: string;
}

/** What has become of a pair: how it is has changed; it is joined again after somebody had taken it apart; it is not, and should be. */
export type PairNews = "changed" | "healed" | "faulty";

const notYet = "it is being made";

/** Keeps pairs of ports joined in the kernel: made as soon as both are there, and again when somebody removes a port or a filter. */
export class Forwarder {
  readonly #netns: string;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  /** Which pair a port belongs to. */
  readonly #idOf = new Map<string, string>();
  readonly #queue = new KeyedQueue();
  readonly #pending = new Set<string>();
  readonly #listeners = new Set<(id: string, news: PairNews) => void>();
  readonly #portListeners = new Set<(port: string | undefined) => void>();
  #isAble = false;
  #news: KernelNews | undefined;
  #closed = false;

  constructor(options: { readonly netns: string; readonly log: Log }) {
    this.#netns = options.netns;
    this.#log = options.log;
  }

  /** Looks whether this host can join ports at all. @throws {ZorError} FAILED_PRECONDITION naming what it lacks. */
  async assertAble(): Promise<void> {
    if (!this.#isAble) await assertRedirects({ netns: this.#netns });
    this.#isAble = true;
  }

  /** Joins two ports, which need not be there yet; what had this id before is taken apart. Idempotent. */
  async join(id: string, pair: PortPair): Promise<void> {
    const before = this.#entries.get(id)?.pair;
    if (before === undefined || before.a !== pair.a || before.b !== pair.b) {
      if (before !== undefined) await this.part(id);
      this.#entries.set(id, { pair, fault: notYet });
      for (const port of [pair.a, pair.b]) this.#idOf.set(port, id);
      this.#news ??= this.#closed ? undefined : new KernelNews(this.#netns, (device) => this.#onNews(device));
    }
    await this.#look(id);
  }

  /** Takes two ports apart. Idempotent. */
  async part(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    const mine = [entry.pair.a, entry.pair.b].filter((port) => this.#idOf.get(port) === id);
    for (const port of mine) this.#idOf.delete(port);
    await this.#queue.run(id, async () => {
      for (const port of mine) await stopRedirect(port, { netns: this.#netns });
    });
    if (this.#entries.size > 0) return;
    const news = this.#news;
    this.#news = undefined;
    await news?.close();
  }

  /** Why a pair is not joined, for people; "": it is; undefined: there is no such pair. */
  faultOf(id: string): string | undefined {
    return this.#entries.get(id)?.fault;
  }

  /** Calls back with the id of a pair of which something may have changed. Returns the way to stop. */
  onChange(listener: (id: string, news: PairNews) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls back with a port of which the kernel tells something while it is joined; undefined: it may have been any. Returns the way to stop. */
  onPort(listener: (port: string | undefined) => void): () => void {
    this.#portListeners.add(listener);
    return () => void this.#portListeners.delete(listener);
  }

  /** Lets go of the pairs, which stay joined. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#news?.close();
    await Promise.all([...this.#entries.keys()].map((id) => this.#queue.run(id, async () => undefined)));
  }

  #onNews(device: string | undefined): void {
    if (this.#closed) return;
    for (const listener of this.#portListeners) listener(device);
    const ids = device === undefined ? [...this.#entries.keys()] : [this.#idOf.get(device)];
    for (const id of ids) {
      // What comes while it is looked at is seen by the look after.
      if (id === undefined || this.#pending.has(id) || this.#closed) continue;
      this.#pending.add(id);
      void this.#look(id);
    }
  }

  /** Never rejects. */
  async #look(id: string): Promise<void> {
    await this.#queue.run(id, async () => {
      this.#pending.delete(id);
      const entry = this.#entries.get(id);
      if (entry === undefined) return;
      const before = entry.fault;
      const { fault, isMade } = await this.#ensure(entry.pair).catch((error: unknown) => {
        this.#log.warn({ ...entry.pair, error: messageOf(error) }, "two ports could not be joined");
        return { fault: messageOf(error), isMade: false };
      });
      const isHealed = fault === "" && before !== notYet && (isMade || before !== "");
      if (fault === before && !isHealed) return;
      entry.fault = fault;
      const news = isHealed ? "healed" : fault === "" ? "changed" : "faulty";
      for (const listener of this.#listeners) listener(id, news);
    });
  }

  /** Why they are not joined, and whether anything had to be done for it. */
  async #ensure({ a, b }: PortPair): Promise<{ readonly fault: string; readonly isMade: boolean }> {
    const netns = this.#netns;
    const missing = [a, b].filter((port) => findDevice(netns, port) === undefined);
    if (missing.length > 0) return { fault: `port ${missing.join(" and ")} is not there`, isMade: false };
    let isMade = false;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      // Said by name: a port that was made anew has another index, and the filter of the old one points nowhere.
      if (await isRedirected(from, to, { netns })) continue;
      await redirect(from, to, { netns });
      isMade = true;
    }
    return { fault: "", isMade };
  }
}
