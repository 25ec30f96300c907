import type { SaidAddress } from "./said-address.js";

/** Where a frame came in. */
export interface HearingPort {
  /** Resource name of the NIC. */
  readonly endpoint: string;
  readonly ifindex: number;
}

/** An address that was heard at a NIC. */
export interface HeardAddress extends SaidAddress {
  readonly endpoint: string;
  readonly ifindex: number;
  /** When it was heard first. */
  readonly sinceMs: number;
}

interface Entry extends HeardAddress {
  lastMs: number;
}

/** What of one NIC is kept; who says more is heard with the latest of it. */
const maxPerNic = 16;
/** Nobody has what was not heard for so long. */
const forgetAfterMs = 30 * 60 * 1000;
/** A guest may say something new so often at once, and again after this time: what is told costs more than what is heard. */
const burst = 32;
const newsEveryMs = 4_000;

/** Which addresses were heard at which NIC. Bounded by the NICs; no guest can push out what another one says. */
export class HeardTable {
  readonly #ofNic = new Map<string, Map<string, Entry>>();
  /** NICs of which something is known, by their instance. */
  readonly #nicsOf = new Map<string, Set<string>>();
  /** All entries, the one that was heard longest ago first. */
  readonly #byAge = new Set<Entry>();
  readonly #credit = new Map<string, { left: number; sinceMs: number }>();

  /** Takes what was said. Says whether that is new, known, or more news than the NIC may make. */
  hear({ endpoint, ifindex }: HearingPort, { address, mac }: SaidAddress, nowMs: number): "new" | "known" | "refused" {
    const entries = this.#ofNic.get(endpoint) ?? new Map<string, Entry>();
    const known = entries.get(address);
    if (known !== undefined && known.mac === mac && known.ifindex === ifindex) {
      known.lastMs = nowMs;
      // To the end of both: the first is the one that was heard longest ago.
      entries.delete(address);
      entries.set(address, known);
      this.#byAge.delete(known);
      this.#byAge.add(known);
      return "known";
    }
    if (!this.#pay(endpoint, nowMs)) return "refused";
    const [oldest] = entries.values();
    if (known !== undefined) this.#drop(known);
    else if (entries.size >= maxPerNic && oldest !== undefined) this.#drop(oldest);
    this.#add({ endpoint, ifindex, address, mac, sinceMs: nowMs, lastMs: nowMs });
    return "new";
  }

  /** Takes back what was known before. */
  restore(entry: HeardAddress, lastMs: number): void {
    if ((this.#ofNic.get(entry.endpoint)?.size ?? 0) < maxPerNic) this.#add({ ...entry, lastMs });
  }

  /** Addresses of a NIC, the one that was heard first at the beginning. */
  ofNic(endpoint: string): readonly HeardAddress[] {
    return [...(this.#ofNic.get(endpoint)?.values() ?? [])].sort((a, b) => a.sinceMs - b.sinceMs);
  }

  /** Addresses of all NICs of an instance. */
  ofInstance(instance: string): readonly HeardAddress[] {
    return [...(this.#nicsOf.get(instance) ?? [])].flatMap((endpoint) => this.ofNic(endpoint));
  }

  /** NICs of which something is known. */
  get endpoints(): readonly string[] {
    return [...this.#ofNic.keys()];
  }

  /** All of it, with when it was heard last. */
  get all(): readonly Readonly<Entry>[] {
    return [...this.#byAge];
  }

  /** Forgets a NIC. */
  forget(endpoint: string): void {
    for (const entry of this.#ofNic.get(endpoint)?.values() ?? []) this.#byAge.delete(entry);
    this.#remove(endpoint);
    this.#credit.delete(endpoint);
  }

  /** Forgets what was not heard for long; resolves to the NICs it was of. Looks at nothing else. */
  expire(nowMs: number): ReadonlySet<string> {
    const changed = new Set<string>();
    for (const entry of this.#byAge) {
      if (nowMs - entry.lastMs < forgetAfterMs) break;
      this.#drop(entry);
      changed.add(entry.endpoint);
    }
    return changed;
  }

  #drop(entry: Entry): void {
    this.#byAge.delete(entry);
    const entries = this.#ofNic.get(entry.endpoint);
    entries?.delete(entry.address);
    if (entries?.size === 0) this.#remove(entry.endpoint);
  }

  #add(entry: Entry): void {
    const { endpoint } = entry;
    const instance = instanceOf(endpoint);
    this.#nicsOf.set(instance, (this.#nicsOf.get(instance) ?? new Set()).add(endpoint));
    this.#ofNic.set(endpoint, (this.#ofNic.get(endpoint) ?? new Map()).set(entry.address, entry));
    this.#byAge.add(entry);
  }

  #remove(endpoint: string): void {
    const instance = instanceOf(endpoint);
    this.#ofNic.delete(endpoint);
    this.#nicsOf.get(instance)?.delete(endpoint);
    if (this.#nicsOf.get(instance)?.size === 0) this.#nicsOf.delete(instance);
  }

  #pay(endpoint: string, nowMs: number): boolean {
    const credit = this.#credit.get(endpoint) ?? { left: burst, sinceMs: nowMs };
    const earned = Math.floor((nowMs - credit.sinceMs) / newsEveryMs);
    const left = Math.min(burst, credit.left + earned);
    const sinceMs = left === burst ? nowMs : credit.sinceMs + earned * newsEveryMs;
    this.#credit.set(endpoint, { left: Math.max(0, left - 1), sinceMs });
    return left > 0;
  }
}

/** Resource name of the instance of a NIC. */
export function instanceOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf("/nics/"));
}
