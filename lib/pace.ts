import { setTimeout as sleep } from "node:timers/promises";

/** Holds a rate. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #began = performance.now();
  #bytes = 0;

  /** @param bytesPerSecond 0: not limited. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits as long as the bytes may take. */
  async after(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    this.#bytes += bytes;
    const dueMs = (1000 * this.#bytes) / this.#bytesPerSecond - (performance.now() - this.#began);
    if (dueMs > 0) await sleep(dueMs, undefined, { signal });
  }
}
