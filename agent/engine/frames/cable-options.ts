import type { NativeMemory } from "../../../lib/libc.js";
import type { ChunkPool } from "../impair/frame-queue.js";
import type { CableReport } from "../threads/cable-orders.js";

/** What a cable works with. */
export interface CableOptions {
  readonly id: number;
  readonly tapFd: number;
  readonly tapName: string;
  readonly stats: Float64Array;
  /** Figures of the impairment. */
  readonly counters: Float64Array;
  readonly pool: ChunkPool;
  /** Memory for at least one frame that several cables may share. */
  readonly scratch: NativeMemory;
  readonly report: (event: CableReport) => void;
}
