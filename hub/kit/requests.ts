import { RequestIds, type RequestRecord, type RequestStore, type SealedAnswer } from "../../lib/idempotency.js";
import type { Change, Store, StoredRecord } from "../store/store.js";

/** A retry of a request is recognised this long. */
const keepMs = 24 * 60 * 60 * 1000;

interface Row {
  readonly digest: string;
  /** Base64. */
  readonly response: string;
  readonly timeMs: number;
}

/**
 * Answers of the hub to requests that changed something, kept in its store. With `redact` they hold a secret (a join token)
 * that is kept in memory only: after a restart of the hub a retry is still recognised, but its answer comes without it.
 */
export class StoredRequests implements RequestStore {
  readonly ids = new RequestIds(this);
  readonly #store: Store;
  readonly #redact: ((response: Buffer) => Buffer) | undefined;
  readonly #whole = new Map<string, RequestRecord>();

  constructor(store: Store, redact?: (response: Buffer) => Buffer) {
    this.#store = store;
    this.#redact = redact;
  }

  async find(id: string): Promise<RequestRecord | undefined> {
    const whole = this.#whole.get(id);
    if (whole !== undefined) return whole;
    const stored = await this.#store.get("requests", id);
    if (stored === undefined) return undefined;
    const { digest, response, timeMs } = decode(stored);
    return { digest, response: Buffer.from(response, "base64"), timeMs };
  }

  async put(key: string, record: RequestRecord): Promise<void> {
    await this.#store.commit([this.#change(key, record)]);
    this.keep({ key, record });
  }

  /** The change that remembers an answer, to be committed with what the request changes; then call {@link keep}. */
  remember(sealed: SealedAnswer | undefined): Change[] {
    return sealed === undefined ? [] : [this.#change(sealed.key, sealed.record)];
  }

  /** Keeps the secret part of an answer that is stored. */
  keep(sealed: SealedAnswer | undefined): void {
    if (sealed === undefined || this.#redact === undefined) return;
    for (const [other, { timeMs }] of this.#whole) {
      if (timeMs + keepMs < sealed.record.timeMs) this.#whole.delete(other);
    }
    this.#whole.set(sealed.key, sealed.record);
  }

  #change(key: string, record: RequestRecord): Change {
    const whole = Buffer.from(record.response);
    const response = (this.#redact?.(whole) ?? whole).toString("base64");
    const row: Row = { ...record, response };
    return { type: "put", collection: "requests", key, value: Buffer.from(JSON.stringify(row)) };
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
