/** Items of several producers for one consumer, who is waited for. */
export class Merged<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  readonly #blocked: (() => void)[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  /** @param capacity items that wait at most. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Adds an item; resolves when there is room for another one. */
  async push(item: T): Promise<void> {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
    while (this.#items.length >= this.#capacity && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#blocked.push(resolve);
      });
    }
  }

  /** Nothing comes any more, and nobody waits. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
    for (const go of this.#blocked.splice(0)) go();
  }

  async *items(): AsyncGenerator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        for (const go of this.#blocked.splice(0)) go();
        yield item;
        continue;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
