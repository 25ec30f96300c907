import { randomBytes } from "node:crypto";
import { Backoff } from "../../../lib/backoff.js";
import { messageOf } from "../../../lib/errors.js";
import type { EnginePort } from "../../../proto/gen/zor/agent/v1/engine.js";
import { AttemptLoop } from "./attempt-loop.js";
import { makeTap, type SwitchTap } from "../frames/switch-tap.js";
import { sendTestFrame, type TapOffload } from "../frames/tap.js";
import type { CableSlot, CablePool } from "../threads/cable-pool.js";
import type { CableReport } from "../threads/cable-orders.js";

const remake = { minMs: 200, maxMs: 10_000 } as const;

/** What an end's tap works with. */
export interface EndTapOptions {
  readonly name: string;
  readonly netns: string | undefined;
  /** The switch takes UDP super-frames. */
  readonly udpSuperFrames: boolean;
  readonly workers: CablePool;
  /** It was made, and a worker has it; it is not plugged yet. */
  readonly onReady: (slot: CableSlot) => void;
  readonly onFailed: (reason: string, nextTryMs: number) => void;
  readonly onEvent: (event: CableReport) => void;
}

/** The tap of an end, made anew whenever it is gone. */
export class EndTap {
  readonly #options: EndTapOptions;
  readonly #backoff = new Backoff(remake);
  readonly #loop: AttemptLoop;
  readonly #removing = new Set<Promise<void>>();
  #made: { readonly tap: SwitchTap; readonly slot: CableSlot } | undefined;
  #generation = "";
  #plugged = false;
  #closed = false;

  constructor(options: EndTapOptions) {
    this.#options = options;
    this.#loop = new AttemptLoop({ wanted: () => this.#made === undefined, attempt: (signal) => this.#open(signal) });
  }

  /** The worker's side of it; undefined while there is none. */
  get slot(): CableSlot | undefined {
    return this.#made?.slot;
  }

  /** The most the kernel and the switch can do. */
  get offload(): TapOffload {
    const offload = this.#made?.tap.offload ?? "none";
    return offload === "uso" && !this.#options.udpSuperFrames ? "tso" : offload;
  }

  /** As the agent is told of it. */
  view(): Omit<EnginePort, "lan"> {
    return {
      name: this.#options.name,
      ready: this.#made !== undefined,
      generation: this.#generation,
      plugged: this.#plugged,
    };
  }

  /** Takes up whether it is plugged. False, and nothing changes, when that is about an earlier tap. */
  setPlugged(generation: string, plugged: boolean): boolean {
    if (generation !== this.#generation) return false;
    this.#plugged = plugged;
    return true;
  }

  /** It must be plugged anew: its lan is another. */
  unplug(): void {
    this.#plugged = false;
  }

  /** Sends a frame that the switch gets and keeps to itself; false when it cannot. */
  test(): boolean {
    return this.#made !== undefined && sendTestFrame(this.#made.tap);
  }

  /** Somebody deleted it or its namespace: makes another. */
  lost(goodbye: string): void {
    this.#remove(goodbye);
    this.#loop.hurry();
  }

  /** Says goodbye to the peer and removes it. */
  async close(goodbye: string): Promise<void> {
    this.#closed = true;
    this.#remove(goodbye);
    await this.#loop.close();
    await Promise.all(this.#removing);
  }

  #remove(goodbye: string): void {
    const slot = this.#made?.slot;
    this.#made = undefined;
    if (slot === undefined) return;
    const removing = slot.remove(goodbye);
    this.#removing.add(removing);
    void removing.finally(() => this.#removing.delete(removing));
  }

  /** Makes it and gives it to a worker. Resolves to the milliseconds until it is tried again. */
  async #open(signal: AbortSignal): Promise<number> {
    const { name, netns, workers, onReady, onFailed, onEvent } = this.#options;
    try {
      await Promise.all(this.#removing);
      const tap = await makeTap({ name, netns, signal });
      if (this.#closed) {
        tap.discard();
        return 0;
      }
      this.#backoff.reset();
      this.#generation = randomBytes(8).toString("hex");
      this.#plugged = false;
      const slot = workers.add(tap, onEvent);
      this.#made = { tap, slot };
      onReady(slot);
      return 0;
    } catch (error) {
      const waitMs = this.#backoff.nextMs();
      if (!signal.aborted) onFailed(messageOf(error), Date.now() + waitMs);
      return waitMs;
    }
  }
}
