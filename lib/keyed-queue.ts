import { resourceExhausted } from "./errors.js";

/** Runs work one at a time for each key, in order; different keys run side by side. */
export class KeyedQueue {
  readonly #tails = new Map<string, { tail: Promise<void>; length: number }>();
  readonly #maxLength: number;

  /** @param maxLength most pieces of work that wait for one key; more are refused. */
  constructor(maxLength = 64) {
    this.#maxLength = maxLength;
  }

  /** Runs work when everything queued before it for the key is done. @throws {ZorError} RESOURCE_EXHAUSTED when too much waits. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const entry = this.#tails.get(key) ?? { tail: Promise.resolve(), length: 0 };
    if (entry.length >= this.#maxLength) {
      throw resourceExhausted("QUEUE_FULL", `${key}: ${entry.length} requests wait already; try again later`, key);
    }
    const result = entry.tail.then(work);
    entry.length += 1;
    entry.tail = result
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        entry.length -= 1;
        if (entry.length === 0) this.#tails.delete(key);
      });
    this.#tails.set(key, entry);
    return result;
  }
}
