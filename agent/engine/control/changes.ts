/** Changes are told together, at most so often. */
const changesMs = 50;

/** What a {@link Changes} works with. */
export interface ChangesOptions<Item, Event> {
  /** All there is. */
  readonly snapshot: () => Event;
  /** Some that changed, and the names of those that are gone. */
  readonly changes: (items: readonly Item[], removed: readonly string[]) => Event;
  /** It is one that there is: what has changed since then may be gone, or have been replaced. */
  readonly isThere: (item: Item) => boolean;
}

/** Tells watchers what has changed. */
export class Changes<Item, Event> {
  readonly #options: ChangesOptions<Item, Event>;
  readonly #watchers = new Set<(event: Event) => void>();
  #changed = new Set<Item>();
  #removed = new Set<string>();
  #telling: NodeJS.Timeout | undefined;

  constructor(options: ChangesOptions<Item, Event>) {
    this.#options = options;
  }

  /** Calls the watcher with a snapshot now and with changes later. Returns how to stop. */
  watch(watcher: (event: Event) => void): () => void {
    watcher(this.#options.snapshot());
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Something of it is other than it was. */
  changed(item: Item): void {
    this.#changed.add(item);
    this.#tellSoon();
  }

  /** Its figures are other than they were: worth no more than to be told to those who watch. */
  figures(items: readonly Item[]): void {
    if (this.#watchers.size > 0) for (const item of items) this.changed(item);
  }

  /** It is gone. */
  removed(name: string): void {
    this.#removed.add(name);
    this.#tellSoon();
  }

  /** There is another of that name: the two are not to be told together. */
  replaced(name: string): void {
    this.#removed.delete(name);
  }

  close(): void {
    clearTimeout(this.#telling);
  }

  #tellSoon(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      const items = [...this.#changed].filter((item) => this.#options.isThere(item));
      const removed = [...this.#removed];
      this.#changed = new Set();
      this.#removed = new Set();
      if (items.length + removed.length === 0 || this.#watchers.size === 0) return;
      const event = this.#options.changes(items, removed);
      for (const watcher of this.#watchers) watcher(event);
    }, changesMs);
  }
}
