/** Frames as they came from the thread. */
export interface HeldBatch {
  /** Number of the first frame in the capture. */
  readonly first: number;
  readonly count: number;
  readonly blocks: Uint8Array;
  /** Nanoseconds since 1970; 0: not known. */
  readonly completeNs: bigint;
}

/**
 * The last frames of a capture, up to a bound, those that were read too: what was on its way when a call was lost is read again. The
 * oldest make room for new ones, whether they were read or not.
 */
export class HeldPackets {
  readonly #maxBytes: number;
  readonly #batches: HeldBatch[] = [];
  #bytes = 0;
  #next = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Number of the next frame to come: so many have come. */
  get next(): number {
    return this.#next;
  }

  add({ count, blocks, completeNs }: Omit<HeldBatch, "first">): void {
    if (count === 0) return;
    this.#batches.push({ first: this.#next, count, blocks, completeNs });
    this.#next += count;
    this.#bytes += blocks.length;
    while (this.#bytes > this.#maxBytes && this.#batches.length > 1) {
      this.#bytes -= this.#batches.shift()?.blocks.length ?? 0;
    }
  }

  /** The first batch that has a frame of this number or a later one; undefined: none has come yet. */
  from(number: number): HeldBatch | undefined {
    if (number >= this.#next) return undefined;
    // What is read lies near the end unless the reader is slow.
    const index = this.#batches.findLastIndex(({ first }) => first <= number);
    return this.#batches[Math.max(0, index)];
  }
}
