/** What is wanted anew is begun once it has been wanted for so long: one walks through rows faster than that. */
const settleMs = 150;

/** Something that is followed as it is wanted now: what is wanted otherwise is begun anew, a moment later. */
export class Following {
  readonly #signal: AbortSignal;
  readonly #onFailure: (error: unknown) => void;
  #key = "";
  #stop: AbortController | undefined;
  #due: NodeJS.Timeout | undefined;

  /** @param signal ends it for good. @param onFailure told why something could not be followed; it is not tried again before something else is wanted. */
  constructor(signal: AbortSignal, onFailure: (error: unknown) => void) {
    this.#signal = signal;
    this.#onFailure = onFailure;
  }

  /** What is wanted now; "": nothing. */
  get key(): string {
    return this.#key;
  }

  /** @param key says what is wanted: the same as before changes nothing. @param begin follows it until the signal aborts. @param isUrgent begins it at once. */
  want(key: string, begin: (signal: AbortSignal) => Promise<void>, { isUrgent = false } = {}): void {
    if (key === this.#key || this.#signal.aborted) return;
    this.#key = key;
    clearTimeout(this.#due);
    if (this.#stop === undefined || isUrgent) this.#begin(begin);
    else this.#due = setTimeout(() => this.#begin(begin), settleMs).unref();
  }

  /** Nothing is wanted any more. */
  end(): void {
    clearTimeout(this.#due);
    this.#stop?.abort();
    [this.#key, this.#stop, this.#due] = ["", undefined, undefined];
  }

  #begin(begin: (signal: AbortSignal) => Promise<void>): void {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    const signal = AbortSignal.any([stop.signal, this.#signal]);
    begin(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#onFailure(error);
    });
  }
}
