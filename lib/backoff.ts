import { setTimeout as delay } from "node:timers/promises";

/** Bounds of a back-off. */
export interface BackoffOptions {
  /** First wait in milliseconds. */
  readonly minMs: number;
  /** Longest wait in milliseconds. */
  readonly maxMs: number;
}

/** Exponential back-off with full jitter above half, so that many clients do not come back at once. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Milliseconds to wait before the next attempt; doubles each time up to the longest. */
  nextMs(): number {
    const ceiling = Math.min(this.#options.maxMs, this.#options.minMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return ceiling / 2 + (Math.random() * ceiling) / 2;
  }

  /** An attempt succeeded: the next wait is the first again. */
  reset(): void {
    this.#attempt = 0;
  }

  /** Waits {@link nextMs}; returns early, without error, when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    await pause(this.nextMs(), signal);
  }
}

/** Waits; returns early, without error, when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
