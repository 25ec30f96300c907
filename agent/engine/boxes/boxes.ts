import { notFound } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { SetPortRequest } from "../../../proto/gen/zor/agent/v1/engine.js";
import { Changes } from "../control/changes.js";
import { begin } from "../impair/begun.js";
import type { BoxesEvent, BoxView, WantedBox } from "../protocol/box-protocol.js";
import { BoxKeeper } from "./box-keeper.js";
import { BoxPool } from "../threads/box-pool.js";
import type { BoxRecord, BoxStore } from "./box-store.js";

const figuresMs = 1_000;

/** All in-line boxes of a host. */
export class Boxes {
  readonly #options: BoxesOptions;
  readonly #pool: BoxPool;
  readonly #keepers = new Map<string, BoxKeeper>();
  readonly #changes: Changes<BoxKeeper, BoxesEvent>;
  readonly #figures: NodeJS.Timeout;

  /** Restores boxes as they were stored. */
  constructor(options: BoxesOptions, records: readonly BoxRecord[]) {
    this.#options = options;
    const { pid } = process;
    this.#changes = new Changes<BoxKeeper, BoxesEvent>({
      snapshot: () => ({ pid, boxes: viewsOf(this.#keepers.values()), removed: [], snapshot: true }),
      changes: (keepers, removed) => ({ pid, boxes: viewsOf(keepers), removed, snapshot: false }),
      isThere: (keeper) => this.#keepers.get(keeper.record.spec.uid) === keeper,
    });
    this.#pool = new BoxPool({ netns: options.netns, onCrash: options.onCrash });
    this.#figures = setInterval(() => this.#onFigures(), figuresMs);
    for (const record of records) this.#start(record);
  }

  /** Makes or changes a box. Durable when it resolves, and what it does holds for every frame. */
  async ensure(spec: WantedBox): Promise<BoxView> {
    const existing = this.#keepers.get(spec.uid);
    const before = existing?.record;
    if (existing !== undefined && before?.spec.revision === spec.revision) {
      await existing.settled();
      return existing.view();
    }
    const record = { spec, begun: begin(spec.spec.seed, Date.now()) };
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
    await keeper.settled();
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
  setPort({ uid, port, generation, fault }: SetPortRequest): void {
    const keeper = this.#keepers.get(uid);
    if (keeper === undefined) throw notFound(`box ${uid}`);
    keeper.setPort(port, generation, fault);
  }

  /** Calls the watcher with a snapshot now and with changes later. Returns how to stop. */
  watch(watcher: (event: BoxesEvent) => void): () => void {
    return this.#changes.watch(watcher);
  }

  /** Removes all taps; the stored boxes stay. */
  async close(): Promise<void> {
    clearInterval(this.#figures);
    this.#changes.close();
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
    this.#changes.replaced(record.spec.uid);
    return keeper;
  }

  async #close(keeper: BoxKeeper): Promise<void> {
    const { uid } = keeper.record.spec;
    this.#keepers.delete(uid);
    await keeper.close();
    if (!this.#keepers.has(uid)) this.#changes.removed(uid);
  }

  async #save(): Promise<void> {
    await this.#options.store.save([...this.#keepers.values()].map(({ record }) => record));
  }

  #onFigures(): void {
    this.#changes.figures([...this.#keepers.values()].filter((keeper) => keeper.refresh()));
  }

  /** @param find a keeper tells of itself while it is still being made. */
  #note(find: () => BoxKeeper): void {
    queueMicrotask(() => this.#changes.changed(find()));
  }
}

function viewsOf(keepers: Iterable<BoxKeeper>): BoxView[] {
  return [...keepers].map((keeper) => keeper.view());
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
