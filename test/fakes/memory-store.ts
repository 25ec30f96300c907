import type { Change, CollectionName, Store, StoredRecord } from "../../hub/store/store.js";

/** A store in memory, without expectations: for tests of what is kept, not of how. */
export class MemoryStore implements Store {
  readonly #records = new Map<string, StoredRecord>();

  async get(collection: CollectionName, key: string): Promise<StoredRecord | undefined> {
    return this.#records.get(`${collection} ${key}`);
  }

  async list(collection: CollectionName): Promise<readonly StoredRecord[]> {
    return [...this.#records].filter(([key]) => key.startsWith(`${collection} `)).map(([, record]) => record);
  }

  async commit(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      const key = `${change.collection} ${change.key}`;
      if (change.type === "delete") this.#records.delete(key);
      else this.#records.set(key, { key: change.key, value: change.value, revision: 1n });
    }
  }

  async close(): Promise<void> {
    this.#records.clear();
  }
}
