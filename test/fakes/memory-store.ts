import { status } from "@grpc/grpc-js";
import type { Change, CollectionName, Store, StoredRecord } from "../../hub/store/store.js";
import { ZorError } from "../../lib/errors.js";

/** What a {@link MemoryStore} leaves when it is closed, for the next one. */
export interface MemoryRecords {
  readonly records: Map<string, StoredRecord>;
  revision: bigint;
}

/** A store in memory that keeps to the contract of stores (test/contract/store), but for what outlives the process. */
export class MemoryStore implements Store {
  readonly #kept: MemoryRecords;
  #open = true;

  constructor(kept: MemoryRecords = { records: new Map(), revision: 0n }) {
    this.#kept = kept;
  }

  async get(collection: CollectionName, key: string): Promise<StoredRecord | undefined> {
    this.#checkOpen();
    return this.#kept.records.get(`${collection} ${key}`);
  }

  async list(collection: CollectionName): Promise<readonly StoredRecord[]> {
    this.#checkOpen();
    return [...this.#kept.records]
      .filter(([key]) => key.startsWith(`${collection} `))
      .map(([, record]) => record)
      .toSorted((left, right) => Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)));
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#checkOpen();
    // Expectations are of the records as the changes before leave them; nothing is kept unless all hold.
    const records = new Map(this.#kept.records);
    let { revision } = this.#kept;
    for (const change of changes) {
      const key = `${change.collection} ${change.key}`;
      const actual = records.get(key)?.revision ?? 0n;
      if (change.expect !== undefined && change.expect !== actual) throw conflict(change);
      if (change.type === "delete") {
        records.delete(key);
        continue;
      }
      revision += 1n;
      records.set(key, { key: change.key, value: Uint8Array.from(change.value), revision });
    }
    this.#kept.records.clear();
    for (const [key, record] of records) this.#kept.records.set(key, record);
    this.#kept.revision = revision;
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #checkOpen(): void {
    if (this.#open) return;
    throw new ZorError({ reason: "STORE_CLOSED", code: status.UNAVAILABLE, message: "the store is closed" });
  }
}

function conflict({ collection, key }: Change): ZorError {
  const message = `${collection} ${key} was changed by another call at the same time`;
  return new ZorError({ reason: "STORE_CONFLICT", code: status.ABORTED, message });
}
