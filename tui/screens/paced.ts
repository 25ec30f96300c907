/** Does something soon after it was asked for, and not more often than it should be, however often it is asked for. */
export class Paced implements Disposable {
  readonly #work: () => void;
  readonly #leastMs: number;
  #timer: NodeJS.Timeout | undefined;
  #doneAt = Number.NEGATIVE_INFINITY;

  /** @param leastMs from one time to the next. */
  constructor(work: () => void, leastMs: number) {
    this.#work = work;
    this.#leastMs = leastMs;
  }

  /** Asks for it. */
  ask(): void {
    if (this.#timer !== undefined) return;
    const waitMs = Math.max(0, this.#leastMs - (performance.now() - this.#doneAt));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#doneAt = performance.now();
      this.#work();
    }, waitMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
