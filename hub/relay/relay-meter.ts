import type { Change, Store } from "../store/store.js";

const key = "relay-meter";

interface Row {
  /** Bytes of all links that there ever were, as decimal text. */
  readonly total: string;
  /** By uid of the link. */
  readonly links: Readonly<Record<string, string>>;
}

/** Counts what the relay carries: by link, and in all. Counts survive the hub but for what came after the last store. */
export class RelayMeter {
  readonly #links: Map<string, bigint>;
  #total: bigint;

  private constructor(total: bigint, links: Map<string, bigint>) {
    this.#total = total;
    this.#links = links;
  }

  static async open(store: Store): Promise<RelayMeter> {
    const stored = await store.get("meta", key);
    if (stored === undefined) return new RelayMeter(0n, new Map());
    // Only this module writes this record.
    const row = JSON.parse(Buffer.from(stored.value).toString("utf8")) as Row;
    return new RelayMeter(
      BigInt(row.total),
      new Map(Object.entries(row.links).map(([uid, bytes]) => [uid, BigInt(bytes)])),
    );
  }

  /** Bytes of all links, deleted ones too: what the whole fleet has cost. */
  get total(): bigint {
    return this.#total;
  }

  add(linkUid: string, bytes: number): void {
    this.#total += BigInt(bytes);
    this.#links.set(linkUid, this.ofLink(linkUid) + BigInt(bytes));
  }

  ofLink(linkUid: string): bigint {
    return this.#links.get(linkUid) ?? 0n;
  }

  /** The link is no more; its bytes stay in the total. */
  forget(linkUid: string): void {
    this.#links.delete(linkUid);
  }

  /** The change that stores the counts. */
  plan(): Change {
    const links = Object.fromEntries([...this.#links].map(([uid, bytes]) => [uid, String(bytes)]));
    const row: Row = { total: String(this.#total), links };
    return { type: "put", collection: "meta", key, value: Buffer.from(JSON.stringify(row)) };
  }
}
