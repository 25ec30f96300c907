/** How fast something may be used. */
export interface BucketRate {
  /** Refilled in a second. */
  readonly perSecond: number;
  /** Held at most, and at the beginning. */
  readonly burst: number;
}

/** An allowance that refills with time. It may be overdrawn: then nothing is left until it has been refilled above zero. */
export class TokenBucket {
  readonly #now: () => number;
  #rate: BucketRate;
  #level: number;
  #atMs: number;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(rate: BucketRate, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
    this.#level = rate.burst;
    this.#atMs = now();
  }

  /** What is left; negative when overdrawn. */
  get level(): number {
    const nowMs = this.#now();
    this.#level = Math.min(this.#rate.burst, this.#level + ((nowMs - this.#atMs) / 1000) * this.#rate.perSecond);
    this.#atMs = nowMs;
    return this.#level;
  }

  /** Another rate from now on. */
  set rate(rate: BucketRate) {
    // What was refilled until now was refilled at the rate before.
    this.#level = this.level;
    this.#rate = rate;
  }

  /** Takes some if there is any left. */
  take(amount = 1): boolean {
    if (this.level <= 0) return false;
    this.#level -= amount;
    return true;
  }

  /** Takes some, whatever is left. */
  charge(amount: number): void {
    this.#level = this.level - amount;
  }

  /** Milliseconds until something is left. */
  get waitMs(): number {
    const { level } = this;
    return level > 0 ? 0 : (-level / this.#rate.perSecond) * 1000 + 1;
  }

  /** Nothing has been taken that was not refilled. */
  get isFull(): boolean {
    return this.level >= this.#rate.burst;
  }
}
