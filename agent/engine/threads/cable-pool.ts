import { createCounters } from "../impair/counters.js";
import type { WayOrder } from "../impair/way.js";
import { createStats } from "../frames/stats.js";
import { startThread } from "./thread.js";
import { ThreadPool } from "./thread-pool.js";
import type { EstablishedConnection, CableReport, CableOrder } from "./cable-orders.js";

/** More threads than this do not make more cables faster, and each costs memory. */
const maxThreads = 8;

/** One cable's place in a worker. */
export interface CableSlot {
  /** Figures that the worker keeps, see stats.ts. */
  readonly stats: Float64Array;
  /** Figures of the impairment, see impair/counters.ts. */
  readonly counters: Float64Array;
  /** Impairs what the cable sends; undefined: no more. It holds for every frame when it resolves. */
  impair(order: WayOrder | undefined): Promise<void>;
  attach(connection: number, established: EstablishedConnection): void;
  detach(goodbye: string): void;
  notice(text: string): void;
  /** Sends so many probes in quick succession. */
  probe(count: number): void;
  /** Closes connection and tap; the tap is gone when it resolves. */
  remove(goodbye: string): Promise<void>;
}

/** The threads that move frames. They are started as cables need them, up to one for each core. */
export class CablePool {
  readonly #threads: ThreadPool<CableOrder, CableReport>;

  /** @param options.onCrash a thread ended by an error; its cables are lost. */
  constructor({ netns, onCrash }: { readonly netns: string | undefined; readonly onCrash: (error: Error) => void }) {
    this.#threads = new ThreadPool({
      start: (wakeFd) => startThread("cable-worker", { wakeFd, netns }),
      maxThreads,
      memberOf: ({ cable }) => cable,
      onCrash,
    });
  }

  /** Gives a tap to the least loaded thread, which owns its descriptor from now on. */
  add(tap: { readonly name: string; readonly fd: number }, handler: (event: CableReport) => void): CableSlot {
    const { member: cable, post, ask, leave } = this.#threads.join(handler);
    const stats = createStats();
    const counters = createCounters();
    post({ type: "add", cable, tapFd: tap.fd, tapName: tap.name, stats, counters });
    return {
      stats,
      counters,
      impair: (order) => ask({ type: "impair", cable, order }),
      attach: (connection, established) => post({ type: "attach", cable, connection, established }),
      detach: (goodbye) => post({ type: "detach", cable, goodbye }),
      notice: (text) => post({ type: "notice", cable, text }),
      probe: (count) => post({ type: "probe", cable, count }),
      remove: (goodbye) => leave({ type: "remove", cable, goodbye }, [tap.fd]),
    };
  }

  /** Says goodbye on all connections, closes all taps and ends the threads. */
  close(): Promise<void> {
    return this.#threads.close();
  }
}
