import type { SwitchTap } from "../frames/switch-tap.js";
import { startThread } from "./thread.js";
import { ThreadPool } from "./thread-pool.js";
import type { BoxOrder, BoxReport, BoxSettings, BoxTap } from "./box-orders.js";
import { createCounters } from "../impair/counters.js";

/** More threads than this do not make more boxes faster, and each costs memory. */
const maxThreads = 4;

/** One box's place in a worker. */
export interface BoxSlot {
  /** Figures that the worker keeps: of the frames that came in at a, and at b. See counters.ts. */
  readonly counters: readonly [Float64Array, Float64Array];
  /** They hold for every frame when it resolves. */
  set(settings: BoxSettings): Promise<void>;
  /** Deletes the taps; they are gone when it resolves. */
  remove(): Promise<void>;
}

/**
 * The threads that impair frames, started as boxes need them. They are not those of the cables: a box wakes up for every frame it
 * delays, and where cables go in bulk that would cost them.
 */
export class BoxPool {
  readonly #threads: ThreadPool<BoxOrder, BoxReport>;

  /** @param options.onCrash a thread ended by an error; its boxes are lost. */
  constructor({ netns, onCrash }: { readonly netns: string | undefined; readonly onCrash: (error: Error) => void }) {
    this.#threads = new ThreadPool({
      start: (wakeFd) => startThread("box-worker", { wakeFd, netns }),
      maxThreads,
      memberOf: ({ box }) => box,
      onCrash,
    });
  }

  /** Gives two taps to the least loaded thread, which owns their descriptors from now on. Frames pass untouched until settings are set. */
  add(taps: readonly [SwitchTap, SwitchTap], onTapLost: () => void): BoxSlot {
    const { member: box, post, ask, leave } = this.#threads.join(onTapLost);
    const sides = [withCounters(taps[0]), withCounters(taps[1])] as const;
    post({ type: "add", box, taps: sides, offload: taps[0].offload });
    return {
      counters: [sides[0].counters, sides[1].counters],
      set: (settings) => ask({ type: "set", box, settings }),
      remove: () =>
        leave(
          { type: "remove", box },
          taps.map(({ fd }) => fd),
        ),
    };
  }

  /** Ends the threads. */
  close(): Promise<void> {
    return this.#threads.close();
  }
}

function withCounters({ name, fd }: SwitchTap): BoxTap {
  return { name, fd, counters: createCounters() };
}
