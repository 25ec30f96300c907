/** Longest time to look again and again. Longer gaps are not worth a processor; to sleep and be woken costs about a tenth of it. */
const mostMs = 0.1;
const leastMs = 0.01;
/** Bytes moved since the last wait that are bulk traffic. Small frames gain nothing from it, and what spins is woken later by others. */
const bulkBytes = 32 * 1024;

/**
 * For how long a thread that moves bulk traffic looks whether there is more before it goes to sleep. Sleeping and waking for every
 * super-frame costs the thread, and whoever has to wake it, more than copying the frame. Follows the gaps: grows while sleeps turn
 * out to be short, shrinks to nothing when there is nothing to wait for. Pure: times are milliseconds of any steady clock.
 */
export class SpinWindow {
  #ms = 0;

  /** Milliseconds to look before the next sleep; 0: sleep at once. */
  get ms(): number {
    return this.#ms;
  }

  /** @param waitedMs how long the last wait was, sleep included. @param movedBytes moved between the wait before it and that one. */
  waited(waitedMs: number, movedBytes: number): void {
    if (waitedMs <= mostMs && movedBytes >= bulkBytes) this.#ms = Math.min(mostMs, Math.max(leastMs, this.#ms * 2));
    else this.#ms = this.#ms <= leastMs ? 0 : this.#ms / 2;
  }
}
