const pollMs = { first: 5, longest: 250 } as const;

/** Waiting between two questions to a guest agent, which tells nothing by itself. */
export interface Turn {
  /** It has been waited for as long as it ever is. */
  readonly isSlow: boolean;
  wait(signal: AbortSignal): Promise<void>;
}

/** How often a guest agent is asked: seldom when nothing happens for long, often again as soon as something was said that has an answer. */
export class Pace {
  readonly #waiting = new Set<() => void>();
  #hurries = 0;

  /** Waiting for one thing; the first pauses are short. */
  turn(): Turn {
    let waitMs: number = pollMs.first;
    let seen = this.#hurries;
    return {
      get isSlow() {
        return waitMs === pollMs.longest;
      },
      wait: async (signal) => {
        if (seen !== this.#hurries) waitMs = pollMs.first;
        seen = this.#hurries;
        await this.#pause(waitMs, signal);
        waitMs = Math.min(waitMs * 2, pollMs.longest);
      },
    };
  }

  /** Something was said that may have an answer: whoever waits asks now. */
  hurry(): void {
    this.#hurries += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(resolve);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(resolve);
    }
  }
}
