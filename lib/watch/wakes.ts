const wakesPerTurn = 16;
/** Rounds are so far apart: where changes come without end, each reader is told many at once. */
const apartMs = 10;

/** Wakes readers for which there is news: at once after a while without any, a few in each turn of the loop. */
export class Wakes {
  readonly #waiting = new Set<() => void>();
  #isDue = false;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Wakes this one in the next round. */
  add(wake: () => void): void {
    this.#waiting.add(wake);
    if (this.#isDue) return;
    this.#isDue = true;
    const restMs = this.#lastMs + apartMs - performance.now();
    if (restMs <= 0) setImmediate(() => this.#begin());
    else setTimeout(() => this.#begin(), restMs).unref();
  }

  /** It has ended. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  #begin(): void {
    this.#lastMs = performance.now();
    this.#some();
  }

  /** Many readers of one change must not hold up everything else. */
  #some(): void {
    let left = wakesPerTurn;
    for (const wake of this.#waiting) {
      if (left === 0) break;
      left -= 1;
      this.#waiting.delete(wake);
      wake();
    }
    this.#isDue = this.#waiting.size > 0;
    if (this.#isDue) setImmediate(() => this.#some());
  }
}
