import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Seconds between two looks at the heap. */
const everyTicks = 15;
/** Somebody who has not typed for so long does not wait for anything. */
const restTicks = 3;
/** Garbage worth a pause of some 50 ms. */
const worthBytes = 24 * 1024 * 1024;

/** What the trimmer looks at and does. */
export interface Heap {
  /** Memory taken from the system. */
  sizeBytes(): number;
  collect(): void;
}

/**
 * Gives memory back that drawing has left behind. V8 alone keeps some 100 MiB of garbage for as long as the machine has
 * memory to spare; limiting its heap instead doubles the time a frame takes.
 */
export class HeapTrimmer {
  readonly #heap: Heap;
  #ticks = 0;
  #untypedTicks = restTicks;
  #sizeBytes = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** Somebody is at work: a pause now would be felt. */
  typed(): void {
    this.#untypedTicks = 0;
  }

  /** To be called once a second. */
  tick(): void {
    this.#ticks += 1;
    this.#untypedTicks += 1;
    if (this.#ticks < everyTicks || this.#untypedTicks < restTicks) return;
    this.#ticks = 0;
    if (this.#heap.sizeBytes() - this.#sizeBytes < worthBytes) return;
    this.#heap.collect();
    this.#sizeBytes = this.#heap.sizeBytes();
  }
}

/** The heap of this process. */
export function ownHeap(): Heap {
  let collect: unknown;
  return {
    sizeBytes: () => getHeapStatistics().total_heap_size,
    collect: () => {
      collect ??= collector();
      if (typeof collect === "function") collect();
    },
  };
}

/** Making a context takes as long as a frame: not before it is needed. */
function collector(): unknown {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
