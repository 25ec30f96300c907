import { resourceExhausted } from "../../lib/errors.js";

/** How many failures a peer may make. */
export interface FailureLimit {
  /** Failures at once; one is forgiven every `perFailureMs`. */
  readonly burst: number;
  readonly perFailureMs: number;
  /** Peers remembered; when more fail at once, all of them share one allowance. */
  readonly peers: number;
}

const shared = "*";

/** Slows down guessing: counts failures per peer in a leaky bucket. Success is never counted. */
export class FailureLimiter {
  readonly #limit: FailureLimit;
  readonly #now: () => number;
  /** Peer to the time at which its bucket is empty. */
  readonly #emptyAt = new Map<string, number>();

  constructor(limit: FailureLimit, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
  }

  /** @throws {ZorError} RESOURCE_EXHAUSTED with reason TOO_MANY_FAILURES while the peer's allowance is used up. */
  check(peer: string): void {
    const waitMs =
      (this.#emptyAt.get(this.#slot(peer)) ?? 0) - this.#now() - (this.#limit.burst - 1) * this.#limit.perFailureMs;
    if (waitMs <= 0) return;
    throw resourceExhausted(
      "TOO_MANY_FAILURES",
      `too many failed attempts from this address; try again in ${Math.ceil(waitMs / 1000)} s`,
    );
  }

  /** Counts a failure. */
  failed(peer: string): void {
    const now = this.#now();
    for (const [other, emptyAt] of this.#emptyAt) if (emptyAt <= now) this.#emptyAt.delete(other);
    const slot = this.#slot(peer);
    this.#emptyAt.set(slot, Math.max(this.#emptyAt.get(slot) ?? 0, now) + this.#limit.perFailureMs);
  }

  #slot(peer: string): string {
    return this.#emptyAt.has(peer) || this.#emptyAt.size < this.#limit.peers ? peer : shared;
  }
}
