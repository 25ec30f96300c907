import type { Change, Store } from "../store/store.js";

const key = "relay-meter";

interface Row {
  /** Bytes of all links that there ever were, as decimal text. */
  readonly total: string;
  /** By uid of the link. */
  readonly links: Readonly<Record<string, string>>;
  /** By uid of the host. Missing: stored by a hub that did not count them. */
  readonly hosts?: Readonly<Record<string, string>>;
}

/** Counts what the relay carries: by link, by host, and in all. Counts survive the hub but for what came after the last store. */
export class RelayMeter {
  readonly #links: Map<string, bigint>;
  readonly #hosts: Map<string, bigint>;
  #total: bigint;

  private constructor({ total, links, hosts = {} }: Row) {
    this.#total = BigInt(total);
    this.#links = toCounts(links);
    this.#hosts = toCounts(hosts);
  }

  static async open(store: Store): Promise<RelayMeter> {
    const stored = await store.get("meta", key);
    if (stored === undefined) return new RelayMeter({ total: "0", links: {} });
    // Only this module writes this record.
    return new RelayMeter(JSON.parse(Buffer.from(stored.value).toString("utf8")) as Row);
  }

  /** Bytes of all links, deleted ones too: what the whole fleet has cost. */
  get total(): bigint {
    return this.#total;
  }

  /** @param carried.hostUids hosts at the ends of the link. */
  add(carried: { readonly linkUid: string; readonly hostUids: readonly string[] }, bytes: number): void {
    const { linkUid, hostUids } = carried;
    this.#total += BigInt(bytes);
    this.#links.set(linkUid, this.ofLink(linkUid) + BigInt(bytes));
    for (const uid of hostUids) this.#hosts.set(uid, this.ofHost(uid) + BigInt(bytes));
  }

  ofLink(linkUid: string): bigint {
    return this.#links.get(linkUid) ?? 0n;
  }

  /** Of all links the host has or had. */
  ofHost(hostUid: string): bigint {
    return this.#hosts.get(hostUid) ?? 0n;
  }

  /** The link is no more; its bytes stay in those of its hosts and in the total. */
  forget(linkUid: string): void {
    this.#links.delete(linkUid);
  }

  /** The change that stores the counts. @param hostUids hosts that there are; others are forgotten. */
  plan(hostUids: ReadonlySet<string>): Change {
    for (const uid of [...this.#hosts.keys()]) if (!hostUids.has(uid)) this.#hosts.delete(uid);
    const row: Row = { total: String(this.#total), links: toTexts(this.#links), hosts: toTexts(this.#hosts) };
    return { type: "put", collection: "meta", key, value: Buffer.from(JSON.stringify(row)) };
  }
}

function toCounts(texts: Readonly<Record<string, string>>): Map<string, bigint> {
  return new Map(Object.entries(texts).map(([uid, bytes]) => [uid, BigInt(bytes)]));
}

function toTexts(counts: ReadonlyMap<string, bigint>): Record<string, string> {
  return Object.fromEntries([...counts].map(([uid, bytes]) => [uid, String(bytes)]));
}
