/** Tells those who wait that something may be otherwise now. */
export class News {
  readonly #waiting = new Set<() => void>();

  tell(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Whether the condition came true before the signal aborted. It is looked at after each {@link tell}. */
  async waitFor(condition: () => boolean, signal: AbortSignal): Promise<boolean> {
    while (!condition() && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      this.#waiting.delete(wake);
      signal.removeEventListener("abort", wake);
    }
    return condition();
  }
}
