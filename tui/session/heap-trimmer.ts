import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Seconds between two looks at the heap. */
const everyTicks = 15;
/** Garbage worth a pause of some 30 ms. */
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
  #sizeBytes = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** To be called once a second. */
  tick(): void {
    this.#ticks += 1;
    if (this.#ticks % everyTicks !== 0 || this.#heap.sizeBytes() - this.#sizeBytes < worthBytes) return;
    this.#heap.collect();
    this.#sizeBytes = this.#heap.sizeBytes();
  }
}

/** The heap of this process. */
export function ownHeap(): Heap {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  return {
    sizeBytes: () => getHeapStatistics().total_heap_size,
    collect: () => {
      if (typeof collect === "function") collect();
    },
  };
}
