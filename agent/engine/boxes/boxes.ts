import { notFound } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { BoxesEvent, BoxSpec, BoxView } from "../protocol/box-protocol.js";
import { BoxKeeper } from "./box-keeper.js";
import { BoxPool } from "../threads/box-pool.js";
import type { BoxRecord, BoxStore } from "./box-store.js";
import { randomSeed } from "../impair/random-seed.js";

/** Changes are told together, at most so often. */
const changesMs = 50;
const figuresMs = 1_000;

/** All in-line boxes of a host. */
export class Boxes {
  readonly #options: BoxesOptions;
  readonly #pool: BoxPool;
  readonly #keepers = new Map<string, BoxKeeper>();
  readonly #watchers = new Set<(event: BoxesEvent) => void>();
  readonly #figures: NodeJS.Timeout;
  #changed = new Set<BoxKeeper>();
  #removed = new Set<string>();
  #telling: NodeJS.Timeout | undefined;

  /** Restores boxes as they were stored. */
  constructor(options: BoxesOptions, records: readonly BoxRecord[]) {
    this.#options = options;
    this.#pool = new BoxPool({ netns: options.netns, onCrash: options.onCrash });
    this.#figures = setInterval(() => this.#onFigures(), figuresMs);
    for (const record of records) this.#start(record);
  }

  /** Makes or changes a box. Durable when it resolves. */
  async ensure(spec: BoxSpec): Promise<BoxView> {
    const existing = this.#keepers.get(spec.uid);
    const before = existing?.record;
    if (existing !== undefined && before?.spec.revision === spec.revision) return existing.view();
    const record = { spec, seed: spec.seed === "0" ? randomSeed() : spec.seed, setMs: Date.now() };
    const keeper = existing ?? this.#start(record);
    existing?.apply(record);
    try {
      await this.#save();
    } catch (error) {
      // What cannot be kept must not be promised.
      if (before === undefined) await this.#close(keeper);
      else keeper.apply(before);
      throw error;
    }
    return keeper.view();
  }

  /** Removes a box; nothing happens when there is none. */
  async delete(uid: string): Promise<void> {
    const keeper = this.#keepers.get(uid);
    if (keeper !== undefined) await this.#close(keeper);
    // An earlier deletion may have failed to be stored.
    await this.#save();
  }

  /** @throws {ZorError} NOT_FOUND */
  setPort(uid: string, port: { readonly side: 0 | 1; readonly generation: string; readonly fault: string }): void {
    const keeper = this.#keepers.get(uid);
    if (keeper === undefined) throw notFound(`box ${uid}`);
    keeper.setPort(port.side, port.generation, port.fault);
  }

  /** Calls the watcher with a snapshot now and with changes later. Returns how to stop. */
  watch(watcher: (event: BoxesEvent) => void): () => void {
    const boxes = [...this.#keepers.values()].map((keeper) => keeper.view());
    watcher({ pid: process.pid, boxes, removed: [], snapshot: true });
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Removes all taps; the stored boxes stay. */
  async close(): Promise<void> {
    clearInterval(this.#figures);
    clearTimeout(this.#telling);
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.close()));
    await this.#pool.close();
  }

  #start(record: BoxRecord): BoxKeeper {
    const { netns, salt, log } = this.#options;
    const keeper: BoxKeeper = new BoxKeeper(record, {
      pool: this.#pool,
      netns,
      salt,
      log,
      changed: () => this.#note(() => keeper),
    });
    this.#keepers.set(record.spec.uid, keeper);
    this.#removed.delete(record.spec.uid);
    return keeper;
  }

  async #close(keeper: BoxKeeper): Promise<void> {
    const { uid } = keeper.record.spec;
    this.#keepers.delete(uid);
    await keeper.close();
    if (!this.#keepers.has(uid)) this.#removed.add(uid);
    this.#tellSoon();
  }

  async #save(): Promise<void> {
    await this.#options.store.save([...this.#keepers.values()].map(({ record }) => record));
  }

  #onFigures(): void {
    for (const keeper of this.#keepers.values()) if (keeper.refresh()) this.#changed.add(keeper);
    if (this.#watchers.size === 0) this.#changed.clear();
    else if (this.#changed.size > 0) this.#tellSoon();
  }

  /** @param find a keeper tells of itself while it is still being made. */
  #note(find: () => BoxKeeper): void {
    queueMicrotask(() => {
      this.#changed.add(find());
      this.#tellSoon();
    });
  }

  #tellSoon(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      const keepers = [...this.#changed].filter((keeper) => this.#keepers.get(keeper.record.spec.uid) === keeper);
      const event: BoxesEvent = {
        pid: process.pid,
        boxes: keepers.map((keeper) => keeper.view()),
        removed: [...this.#removed],
        snapshot: false,
      };
      this.#changed = new Set();
      this.#removed = new Set();
      if (event.boxes.length + event.removed.length === 0) return;
      for (const watcher of this.#watchers) watcher(event);
    }, changesMs);
  }
}

/** What boxes are made with. */
export interface BoxesOptions {
  readonly store: BoxStore;
  /** Named net namespace of the switch; undefined: the process's own. */
  readonly netns: string | undefined;
  /** Tells the names of this host's taps from those of another that shares the namespace. */
  readonly salt: string;
  readonly log: Log;
  /** A worker thread was ended by an error; its boxes are lost. */
  readonly onCrash: (error: Error) => void;
}
