import { type BucketRate, TokenBucket } from "../token-bucket.js";
import type { Owner } from "./quota.js";

/** Time of the loop, in ms, that one identity and all identities of one address may take; how much depends on others wanting it too. */
export interface WorkLimits {
  /** While nobody else calls. */
  readonly alone: BucketRate;
  /** While others call as well. */
  readonly contended: BucketRate;
  /** From one address; it holds back only those who have used up half of their own. */
  readonly address: BucketRate;
  /** What a call takes at least. */
  readonly leastMs: number;
}

interface Lane {
  readonly key: string;
  readonly bucket: TokenBucket;
  readonly address: TokenBucket;
  readonly waiting: Set<Waiting>;
  /** When a call last came. */
  lastMs: number;
}

interface Waiting {
  readonly begin: () => void;
  readonly leastMs: number;
}

/** So long after a call an identity still counts as one that calls. */
const activeMs = 2000;
/** Whether more than one calls is looked at so often at most. */
const judgeMs = 20;
/** Lanes without work are forgotten from so many on. */
const rememberedLanes = 4096;

/**
 * Shares the time of the event loop between identities. In one turn of the loop each begins one call at most, in rotation, and what
 * a turn took is charged to those that began something in it: whoever has used up a share waits until it has refilled. So a call of
 * one who calls seldom waits for one call of each of the others, not for all that they have asked.
 */
export class FairQueue {
  readonly #limits: WorkLimits;
  readonly #now: () => number;
  readonly #lanes = new Map<string, Lane>();
  readonly #addresses = new Map<string, TokenBucket>();
  /** Lanes in which calls wait, in rotation: whoever begins one moves to the end. */
  readonly #queue = new Set<Lane>();
  /** Lanes that have begun something in this turn, and since when the turn lasts. */
  readonly #begun = new Set<Lane>();
  #turnBeganMs = 0;
  #turn: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  #contended = false;
  #judgedMs = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(limits: WorkLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Runs `begin` when it is the owner's turn: at once when nothing speaks against it. Returns how to leave the queue.
   * @param leastMs what it is charged at least.
   */
  enter(owner: Owner, begin: () => void, leastMs: number = this.#limits.leastMs): () => void {
    const lane = this.#laneOf(owner);
    lane.lastMs = this.#now();
    this.#judgeContention();
    const waiting: Waiting = { begin, leastMs };
    if (lane.waiting.size === 0 && this.#mayBegin(lane)) {
      this.#begin(lane, waiting);
      return () => undefined;
    }
    lane.waiting.add(waiting);
    this.#queue.add(lane);
    this.#schedule();
    return () => this.#leave(lane, waiting);
  }

  /** Charges work that was done in the name of an owner without waiting for its turn. */
  charge(owner: Owner, ms: number): void {
    const lane = this.#laneOf(owner);
    lane.bucket.charge(ms);
    lane.address.charge(ms);
  }

  /** Calls that wait. */
  get waiting(): number {
    let count = 0;
    for (const { waiting } of this.#queue) count += waiting.size;
    return count;
  }

  #leave(lane: Lane, waiting: Waiting): void {
    lane.waiting.delete(waiting);
    if (lane.waiting.size === 0) this.#queue.delete(lane);
  }

  #mayBegin(lane: Lane): boolean {
    return !this.#begun.has(lane) && this.#hasShare(lane);
  }

  #hasShare({ bucket, address }: Lane): boolean {
    const { level } = bucket;
    const { burst } = this.#contended ? this.#limits.contended : this.#limits.alone;
    return level > 0 && (level > burst / 2 || address.level > 0);
  }

  #begin(lane: Lane, { begin, leastMs }: Waiting): void {
    if (this.#begun.size === 0) this.#turnBeganMs = this.#now();
    this.#begun.add(lane);
    lane.bucket.charge(leastMs);
    lane.address.charge(leastMs);
    this.#turn ??= setImmediate(() => this.#onTurn());
    begin();
  }

  #onTurn(): void {
    this.#turn = undefined;
    this.#chargeTurn();
    for (const lane of [...this.#queue]) {
      const [first] = lane.waiting;
      if (first === undefined || !this.#mayBegin(lane)) continue;
      this.#queue.delete(lane);
      this.#queue.add(lane);
      this.#leave(lane, first);
      this.#begin(lane, first);
    }
    this.#schedule();
  }

  #chargeTurn(): void {
    if (this.#begun.size === 0) return;
    const tookMs = (this.#now() - this.#turnBeganMs) / this.#begun.size;
    for (const { bucket, address } of this.#begun) {
      // The least was charged when it began.
      bucket.charge(Math.max(0, tookMs - this.#limits.leastMs));
      address.charge(Math.max(0, tookMs - this.#limits.leastMs));
    }
    this.#begun.clear();
  }

  /** Looks again in the next turn, or when somebody who waits has a share again. */
  #schedule(): void {
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#queue) {
      const waitMs = this.#hasShare(lane) ? 0 : Math.max(lane.bucket.waitMs, Math.min(lane.address.waitMs, 50));
      soonestMs = Math.min(soonestMs, waitMs);
    }
    if (soonestMs === Number.POSITIVE_INFINITY) return;
    if (soonestMs === 0) {
      this.#turn ??= setImmediate(() => this.#onTurn());
      return;
    }
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      this.#judgeContention();
      this.#onTurn();
    }, soonestMs).unref();
  }

  #judgeContention(): void {
    const nowMs = this.#now();
    if (nowMs - this.#judgedMs < judgeMs) return;
    this.#judgedMs = nowMs;
    const sinceMs = nowMs - activeMs;
    let active = 0;
    for (const { waiting, lastMs } of this.#lanes.values()) if (waiting.size > 0 || lastMs > sinceMs) active += 1;
    const contended = active > 1;
    if (contended === this.#contended) return;
    this.#contended = contended;
    const rate = contended ? this.#limits.contended : this.#limits.alone;
    for (const { bucket } of this.#lanes.values()) bucket.rate = rate;
  }

  #laneOf({ identity, address }: Owner): Lane {
    const key = identity === "" ? address : identity;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    if (this.#lanes.size >= rememberedLanes) this.#forget();
    const rate = this.#contended ? this.#limits.contended : this.#limits.alone;
    const lane: Lane = {
      key,
      bucket: new TokenBucket(rate, this.#now),
      address: this.#addressOf(address),
      waiting: new Set(),
      lastMs: 0,
    };
    this.#lanes.set(key, lane);
    return lane;
  }

  #addressOf(address: string): TokenBucket {
    const known = this.#addresses.get(address);
    if (known !== undefined) return known;
    const bucket = new TokenBucket(this.#limits.address, this.#now);
    this.#addresses.set(address, bucket);
    return bucket;
  }

  #forget(): void {
    for (const [key, { bucket, waiting }] of this.#lanes) {
      if (waiting.size === 0 && bucket.isFull) this.#lanes.delete(key);
    }
    for (const [address, bucket] of this.#addresses) if (bucket.isFull) this.#addresses.delete(address);
  }
}
