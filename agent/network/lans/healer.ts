import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../../lib/log.js";

/** A change of our own comes in several parts: none of them is to be taken for somebody else's. */
const settleMs = 200;
/** Whoever changes something again and again is answered so often. */
const pauseMs = 1000;

/** Has work done after something may have been changed behind our back: once for many changes, and never twice at a time. */
export class Healer {
  readonly #heal: () => Promise<void>;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #isAsked = false;
  #isRunning = false;

  constructor(heal: () => Promise<void>, log: Log) {
    this.#heal = heal;
    this.#log = log;
  }

  /** Something has changed. Never waits. */
  ask(): void {
    this.#isAsked = true;
    if (this.#isRunning || this.#closing.signal.aborted) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Nothing is healed from now on. */
  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const wait = (ms: number) => delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
    await wait(settleMs);
    while (this.#isAsked && !signal.aborted) {
      this.#isAsked = false;
      await this.#heal().catch((error: unknown) => {
        if (!signal.aborted) this.#log.warn({ err: error }, "what was changed at the switch could not be put right");
      });
      await wait(pauseMs);
    }
    this.#isRunning = false;
  }
}
