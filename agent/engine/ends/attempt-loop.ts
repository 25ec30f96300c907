import { pause } from "../../../lib/backoff.js";

/** Makes one way to the other host work: tries it, for ever, whenever it is wanted. */
export class AttemptLoop {
  readonly #options: AttemptLoopOptions;
  readonly #ended = new AbortController();
  #attempt: AbortController | undefined;
  /** What the loop waits for now: that it is wanted, or that time has passed. */
  #waiting: { readonly until: "wanted" | "time"; readonly over: AbortController } | undefined;
  #hurried = false;
  readonly #running: Promise<void>;

  constructor(options: AttemptLoopOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Something changed that may make the way wanted, or no longer. */
  reconsider(): void {
    if (!this.#options.wanted()) this.#attempt?.abort();
    else if (this.#waiting?.until === "wanted") this.#waiting.over.abort();
  }

  /** The next attempt, if one is wanted, comes at once; one that is under way was made with what held before. */
  hurry(): void {
    this.#hurried = true;
    this.#attempt?.abort();
    this.#waiting?.over.abort();
    this.reconsider();
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const ended = this.#ended.signal;
    while (!ended.aborted) {
      if (!this.#options.wanted()) {
        await this.#wait("wanted", undefined);
        continue;
      }
      this.#hurried = false;
      this.#attempt = new AbortController();
      const waitMs = await this.#options.attempt(AbortSignal.any([ended, this.#attempt.signal]));
      this.#attempt = undefined;
      if (!this.#hurried) await this.#wait("time", waitMs);
    }
  }

  async #wait(until: "wanted" | "time", ms: number | undefined): Promise<void> {
    const over = new AbortController();
    this.#waiting = { until, over };
    const signal = AbortSignal.any([over.signal, this.#ended.signal]);
    if (ms !== undefined) await pause(ms, signal);
    else if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    this.#waiting = undefined;
  }
}

/** What an {@link AttemptLoop} does. */
export interface AttemptLoopOptions {
  /** Whether an attempt makes sense now. Must not throw. */
  wanted(): boolean;
  /**
   * One attempt; the signal aborts when it is not wanted any more. Resolves, in any case, with the milliseconds to wait before the
   * next one.
   */
  attempt(signal: AbortSignal): Promise<number>;
}
