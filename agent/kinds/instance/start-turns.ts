import { availableParallelism } from "node:os";
import type { InstanceRecord } from "./record.js";

/** A guest that has not told by then that it is up counts as up. */
const longestBootMs = 15_000;

/** A guest that boots. */
interface Boot {
  /** What it may come to take of the host's memory, 0 when that is not known. */
  readonly memoryMib: number;
  readonly timer: NodeJS.Timeout;
}

/** Somebody who waits for a turn. */
interface Waiter {
  readonly uid: string;
  readonly go: () => void;
}

/** Whether nothing more is to be waited for: it is up, as far as can be told, or does not run. */
export function isUp({ handle, activity, observation, driver }: InstanceRecord): boolean {
  if (activity === "creating" || activity === "starting") return false;
  return handle === undefined || observation.execReady || driver.can.exec === undefined;
}

/**
 * Lets many instances start a few at a time: twice as many guests boot at once as the host has processors, at least four, and who came
 * first goes first. All at once, each would take as long as all of them, and none would be up before the last.
 */
export class StartTurns {
  readonly #most: number;
  readonly #booting = new Map<string, Boot>();
  readonly #waiting: Waiter[] = [];

  constructor(most: number = Math.max(4, 2 * availableParallelism())) {
    this.#most = most;
  }

  /** Memory that guests which are booting may still take, MiB. */
  get promisedMib(): number {
    return [...this.#booting.values()].reduce((sum, { memoryMib }) => sum + memoryMib, 0);
  }

  /** Waits until fewer boot. The turn is kept until {@link end}. Rejects when the signal aborts. */
  async take(uid: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#booting.has(uid)) return;
    if (this.#booting.size >= this.#most || this.#waiting.length > 0) await this.#wait(uid, signal);
    else this.#begin(uid, 0);
  }

  /** It boots now, whether it had a turn or not: who asks for one instance does not wait. */
  begin(uid: string, memoryMib: number): void {
    const had = this.#booting.get(uid);
    if (had !== undefined) clearTimeout(had.timer);
    this.#begin(uid, memoryMib);
  }

  /** It is up, has ended or is gone. Nothing happens to one that does not boot. */
  end(uid: string): void {
    const boot = this.#booting.get(uid);
    if (boot === undefined) return;
    clearTimeout(boot.timer);
    this.#booting.delete(uid);
    while (this.#booting.size < this.#most) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#begin(next.uid, 0);
      next.go();
    }
  }

  #begin(uid: string, memoryMib: number): void {
    const timer = setTimeout(() => this.end(uid), longestBootMs);
    timer.unref();
    this.#booting.set(uid, { memoryMib, timer });
  }

  #wait(uid: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { uid, go: resolve };
    const leave = (): void => {
      const place = this.#waiting.indexOf(waiter);
      if (place >= 0) this.#waiting.splice(place, 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.push(waiter);
    return promise.finally(() => signal.removeEventListener("abort", leave));
  }
}
