import type { Waits } from "./context.js";
import type { InstanceRecord } from "./record.js";

/** What is started without anybody asking for it at one time, at most: others of the host must go on. */
const parallelStarts = 4;
/** Longest time that a timer keeps. */
const longestMs = 2 ** 31 - 1;

/** Instances that wait for the time of their next start: a timer for each. */
export class Waiting implements Pick<Waits, "arm"> {
  readonly #startAgain: (id: string) => Promise<void>;
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly dueMs: number }>();
  /** Those whose time has come. */
  readonly #due = new Set<string>();
  #starting = 0;
  /** It is not yet, or no more, the time to start anything. */
  #isClosed = true;

  /** @param startAgain starts the instance of that id; never rejects. */
  constructor(startAgain: (id: string) => Promise<void>) {
    this.#startAgain = startAgain;
  }

  /** Begins to start instances; nothing is started before. Ends with the signal. */
  open(records: Iterable<InstanceRecord>, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#isClosed = false;
    signal.addEventListener("abort", () => this.#close(), { once: true });
    for (const record of records) this.arm(record);
  }

  arm({ stored: { id }, life: { nextTime }, handle, awaitsBoot }: InstanceRecord): void {
    const dueMs = nextTime?.getTime();
    if (this.#timers.get(id)?.dueMs === dueMs && dueMs !== undefined) return;
    this.forget(id);
    // One that is started because the host has booted has its turn there.
    if (this.#isClosed || dueMs === undefined || handle !== undefined || awaitsBoot) return;
    const timer = setTimeout(() => this.#come(id), Math.min(longestMs, Math.max(0, dueMs - Date.now())));
    this.#timers.set(id, { timer, dueMs });
  }

  /** It waits no more. */
  forget(id: string): void {
    clearTimeout(this.#timers.get(id)?.timer);
    this.#timers.delete(id);
    this.#due.delete(id);
  }

  #come(id: string): void {
    this.#timers.delete(id);
    this.#due.add(id);
    this.#next();
  }

  #next(): void {
    for (const id of this.#due) {
      if (this.#isClosed || this.#starting >= parallelStarts) return;
      this.#due.delete(id);
      this.#starting += 1;
      void this.#startAgain(id).finally(() => {
        this.#starting -= 1;
        this.#next();
      });
    }
  }

  #close(): void {
    this.#isClosed = true;
    for (const id of [...this.#timers.keys()]) this.forget(id);
    this.#due.clear();
  }
}
