const windowS = 10;
/** Seconds that are remembered. */
const courseS = 300;

/** Events per second over the last ten seconds, and in each of the last five minutes' seconds, in constant space. */
export class EventRate {
  readonly #buckets = new Array<number>(courseS).fill(0);
  #secondNow = 0;

  add(nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#secondNow % courseS;
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    return this.#last(windowS).reduce((sum, count) => sum + count, 0) / windowS;
  }

  /** Events in each second of the last five minutes, the oldest first; the second that is under way is the last. */
  course(nowMs: number): readonly number[] {
    this.#advance(nowMs);
    return this.#last(courseS);
  }

  #last(seconds: number): number[] {
    return Array.from(
      { length: seconds },
      (_, index) => this.#buckets[(this.#secondNow + courseS - seconds + 1 + index) % courseS] ?? 0,
    );
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(courseS, Math.max(0, second - this.#secondNow));
    for (let step = 1; step <= steps; step += 1) this.#buckets[(second - steps + step) % courseS] = 0;
    this.#secondNow = Math.max(second, this.#secondNow);
  }
}
