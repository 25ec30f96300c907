/** So many connections are being made at a time. */
const atOnce = 24;
/** One that takes longer waits for the network or the other side, and gives its place to others. */
const busyMs = 500;

/**
 * Lets connections be made a few at a time, and begins one in each turn of the event loop at most. When a hub starts, or comes back from
 * a cut, thousands are due at once: all would be late. So each is done within moments of its beginning, and calls get in between. Hosts
 * that do not answer hold up nobody for long.
 */
export class DialGate {
  /** How those that wait begin, in the order in which they came. */
  readonly #waiting = new Set<() => void>();
  #inside = 0;
  #next: NodeJS.Immediate | undefined;

  /** Waits for a place. Resolves to how to leave it, idempotent; also when the signal aborts. */
  enter(signal: AbortSignal): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<() => void>();
    if (signal.aborted) return Promise.resolve(() => undefined);
    const giveUp = (): void => {
      this.#waiting.delete(begin);
      resolve(() => undefined);
    };
    const begin = (): void => {
      signal.removeEventListener("abort", giveUp);
      this.#inside += 1;
      let isInside = true;
      const leave = (): void => {
        if (!isInside) return;
        isInside = false;
        clearTimeout(timer);
        this.#inside -= 1;
        this.#soon();
      };
      const timer = setTimeout(leave, busyMs).unref();
      resolve(leave);
    };
    this.#waiting.add(begin);
    signal.addEventListener("abort", giveUp, { once: true });
    this.#soon();
    return promise;
  }

  #soon(): void {
    if (this.#waiting.size === 0 || this.#inside >= atOnce) return;
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      const [begin] = this.#waiting;
      if (begin === undefined) return;
      this.#waiting.delete(begin);
      begin();
      this.#soon();
    });
  }
}
