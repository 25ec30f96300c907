import { resourceExhausted } from "../../lib/errors.js";

/** Programs that callers have started, no more of them at once than there may be: whoever asks for many gets an error, not a full host. */
export class AtOnce {
  readonly #most: number;
  readonly #busy: () => Error;
  #running = 0;

  /** @param options.what that runs, for people: "tools run at this host's switch". */
  constructor({ most, reason, what }: { readonly most: number; readonly reason: string; readonly what: string }) {
    this.#most = most;
    this.#busy = () => resourceExhausted(reason, `${most} ${what} already; try again`);
  }

  /** @throws {ZorError} RESOURCE_EXHAUSTED when so many run already; else what the work throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) throw this.#busy();
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
    }
  }
}
