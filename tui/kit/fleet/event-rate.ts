const windowS = 10;

/** Events per second over the last ten seconds, in constant space. */
export class EventRate {
  readonly #buckets = new Array<number>(windowS).fill(0);
  #secondNow = 0;

  add(nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#secondNow % windowS;
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    return this.#buckets.reduce((sum, count) => sum + count, 0) / windowS;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(windowS, Math.max(0, second - this.#secondNow));
    for (let step = 1; step <= steps; step += 1) this.#buckets[(second - steps + step) % windowS] = 0;
    this.#secondNow = Math.max(second, this.#secondNow);
  }
}
