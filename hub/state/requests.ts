import type { RequestRecord, RequestStore } from "../../lib/idempotency.js";
import type { Change, Store, StoredRecord } from "../store/store.js";

/** A retry of a request is recognised this long. */
const keepMs = 24 * 60 * 60 * 1000;

interface Row {
  readonly digest: string;
  /** Base64. */
  readonly response: string;
  readonly timeMs: number;
}

/** Answers of the hub to requests that changed something, kept in its store. */
export class StoredRequests implements RequestStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async find(id: string): Promise<RequestRecord | undefined> {
    const stored = await this.#store.get("requests", id);
    if (stored === undefined) return undefined;
    const { digest, response, timeMs } = decode(stored);
    return { digest, response: Buffer.from(response, "base64"), timeMs };
  }

  async put(id: string, record: RequestRecord): Promise<void> {
    const row: Row = { ...record, response: Buffer.from(record.response).toString("base64") };
    await this.#store.commit([
      { type: "put", collection: "requests", key: id, value: Buffer.from(JSON.stringify(row)) },
    ]);
  }
}

/**
 * Requests whose answer holds a join token. The token is kept in memory only: after a restart of the hub a retry is still
 * recognised, but its answer comes without the token.
 */
export class SecretRequests implements RequestStore {
  readonly #stored: RequestStore;
  readonly #redact: (response: Buffer) => Buffer;
  readonly #whole = new Map<string, RequestRecord>();

  constructor(stored: RequestStore, redact: (response: Buffer) => Buffer) {
    this.#stored = stored;
    this.#redact = redact;
  }

  async find(id: string): Promise<RequestRecord | undefined> {
    return this.#whole.get(id) ?? this.#stored.find(id);
  }

  async put(id: string, record: RequestRecord): Promise<void> {
    for (const [other, { timeMs }] of this.#whole) if (timeMs + keepMs < record.timeMs) this.#whole.delete(other);
    await this.#stored.put(id, { ...record, response: this.#redact(Buffer.from(record.response)) });
    this.#whole.set(id, record);
  }
}

/** The changes that forget answers older than a day. */
export async function planRequestCleanup(store: Store, now: Date): Promise<Change[]> {
  const stored = await store.list("requests");
  return stored
    .filter((record) => decode(record).timeMs + keepMs < now.getTime())
    .map(({ key }) => ({ type: "delete", collection: "requests", key }));
}

function decode({ value }: StoredRecord): Row {
  // Only this module writes these records.
  return JSON.parse(Buffer.from(value).toString("utf8")) as Row;
}
