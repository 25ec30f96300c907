import { type BucketRate, TokenBucket } from "../token-bucket.js";

/** How fast one caller may do what costs the server more than it costs the caller. Who overdraws one is out. */
export interface ConductLimits {
  /** Connections begun. */
  readonly connects: BucketRate;
  /** Calls begun, those that were cancelled or refused included. */
  readonly calls: BucketRate;
  /** Control frames. */
  readonly control: BucketRate;
  /** Bytes that are not of messages. */
  readonly overhead: BucketRate;
  /** How long one who is out stays out the first time, in ms; twice as long each time after that, up to the most. */
  readonly outMs: { readonly first: number; readonly most: number };
}

/** What is counted. */
export type Deed = "connects" | "calls" | "control" | "overhead";

interface Entry {
  readonly buckets: Readonly<Record<Deed, TokenBucket>>;
  strikes: number;
  outUntilMs: number;
}

const remembered = 4096;
/** A caller who has been good for so long begins anew. */
const forgiveMs = 300_000;

/** Remembers how callers behave, over all their connections, and who is out for a while. */
export class Conduct {
  readonly #limits: ConductLimits;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  /** @param now milliseconds of a clock that never goes back. */
  constructor(limits: ConductLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Whether the caller is out now. */
  isOut(who: string): boolean {
    return (this.#entries.get(who)?.outUntilMs ?? 0) > this.#now();
  }

  /** Counts what a caller did. True: it is out, from now on or still. */
  note(who: string, deed: Deed, amount = 1): boolean {
    const entry = this.#entryOf(who);
    if (entry.outUntilMs > this.#now()) return true;
    const bucket = entry.buckets[deed];
    bucket.charge(amount);
    if (bucket.level >= 0) return false;
    this.#putOut(entry);
    return true;
  }

  #putOut(entry: Entry): void {
    const nowMs = this.#now();
    const { first, most } = this.#limits.outMs;
    if (nowMs - entry.outUntilMs > forgiveMs) entry.strikes = 0;
    entry.outUntilMs = nowMs + Math.min(most, first * 2 ** entry.strikes);
    entry.strikes += 1;
  }

  #entryOf(who: string): Entry {
    const known = this.#entries.get(who);
    if (known !== undefined) return known;
    if (this.#entries.size >= remembered) this.#forget();
    const bucket = (deed: Deed): TokenBucket => new TokenBucket(this.#limits[deed], this.#now);
    const entry: Entry = {
      buckets: {
        connects: bucket("connects"),
        calls: bucket("calls"),
        control: bucket("control"),
        overhead: bucket("overhead"),
      },
      strikes: 0,
      outUntilMs: Number.NEGATIVE_INFINITY,
    };
    this.#entries.set(who, entry);
    return entry;
  }

  /** Those who are not out and owe nothing; when that is nobody, all who are not out. */
  #forget(): void {
    const nowMs = this.#now();
    const isGood = ({ buckets, outUntilMs }: Entry): boolean =>
      outUntilMs < nowMs && Object.values(buckets).every(({ isFull }) => isFull);
    for (const [who, entry] of this.#entries) if (isGood(entry)) this.#entries.delete(who);
    if (this.#entries.size < remembered) return;
    for (const [who, { outUntilMs }] of this.#entries) if (outUntilMs < nowMs) this.#entries.delete(who);
  }
}
