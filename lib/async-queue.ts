/** A bounded queue between a producer that must not wait and one consumer that may. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** @param capacity most items held; {@link push} tells when that is reached. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Adds an item. False, and nothing added, when the queue is full or ended. */
  push(item: T): boolean {
    if (this.#ended || this.#failure !== undefined || this.#items.length >= this.#capacity) return false;
    this.#items.push(item);
    this.#notify();
    return true;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The consumer ends after what is queued. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** The consumer fails after what is queued. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        yield item;
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
