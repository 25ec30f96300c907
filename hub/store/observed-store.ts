import type { Change, CollectionName, Store, StoredRecord } from "./store.js";

/** A store that tells of what was committed to a collection. */
export class ObservedStore implements Store {
  readonly #store: Store;
  readonly #listeners = new Map<CollectionName, (changes: readonly Change[]) => void>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Calls back after each commit that changed the collection, before the commit resolves. One listener per collection. */
  observe(collection: CollectionName, listener: (changes: readonly Change[]) => void): void {
    this.#listeners.set(collection, listener);
  }

  get(collection: CollectionName, key: string): Promise<StoredRecord | undefined> {
    return this.#store.get(collection, key);
  }

  list(collection: CollectionName): Promise<readonly StoredRecord[]> {
    return this.#store.list(collection);
  }

  async commit(changes: readonly Change[]): Promise<void> {
    await this.#store.commit(changes);
    for (const [collection, listener] of this.#listeners) {
      const ofCollection = changes.filter((change) => change.collection === collection);
      if (ofCollection.length > 0) listener(ofCollection);
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
