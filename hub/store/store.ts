/** Collections that are no kind's: what the hub itself keeps. */
export const ownCollections = [
  "tokens",
  "certificates",
  "revocations",
  "requests",
  "operations",
  "waves",
  "meta",
] as const;

/** A collection of records: the plural of a kind that lives on the hub, or one of {@link ownCollections}. */
export type CollectionName = string;

/** A stored record. */
export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
  /** Grows with every change of this record; 0n is never used. */
  readonly revision: bigint;
}

/** One change of a commit. `expect` makes the whole commit fail unless the record is at that revision; 0n: it must not exist. */
export type Change =
  | {
      readonly type: "put";
      readonly collection: CollectionName;
      readonly key: string;
      readonly value: Uint8Array;
      readonly expect?: bigint;
    }
  | { readonly type: "delete"; readonly collection: CollectionName; readonly key: string; readonly expect?: bigint };

/**
 * Where a hub keeps what must survive it. Small on purpose: records by key, atomic commits with expectations, no queries,
 * so that an embedded file and a replicated key-value engine can both serve it. Every store passes test/contract/store.
 */
export interface Store {
  /** Resolves to undefined when there is no such record. */
  get(collection: CollectionName, key: string): Promise<StoredRecord | undefined>;

  /** All records of a collection, ordered by key. */
  list(collection: CollectionName): Promise<readonly StoredRecord[]>;

  /**
   * Applies all changes or none; durable when it resolves. Deleting what is not there is no error unless expected.
   * @throws {ZorError} ABORTED with reason STORE_CONFLICT when an expectation does not hold; RESOURCE_EXHAUSTED with reason
   * STORE_FULL when the disk is full; DATA_LOSS with reason STORE_CORRUPT; UNAVAILABLE with reason STORE_ERROR.
   */
  commit(changes: readonly Change[]): Promise<void>;

  /** Closes it; later calls fail. Idempotent. */
  close(): Promise<void>;
}
