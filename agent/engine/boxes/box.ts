import { errno, lastErrno, type NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { write } from "../native.js";
import { setTapOffload, type TapOffload } from "../frames/tap.js";
import type { BoxSettings, BoxTap } from "../threads/box-orders.js";
import type { ChunkPool } from "../impair/frame-queue.js";
import type { FrameSink, SendOutcome } from "../impair/pipeline.js";
import { Way } from "../impair/way.js";

/** One side of a box: its tap and the direction that begins there. */
interface Side {
  readonly tap: BoxTap;
  readonly way: Way;
  offload: TapOffload;
}

/** One box in a worker: two taps and what lies between them. All methods run in the worker's thread and never wait. */
export class Box {
  readonly id: number;
  readonly sides: readonly [Side, Side];
  readonly #maxOffload: TapOffload;
  readonly #reportLost: () => void;
  #lost = false;

  constructor(options: {
    readonly id: number;
    readonly taps: readonly [BoxTap, BoxTap];
    /** The most the kernel can do. */
    readonly offload: TapOffload;
    readonly pool: ChunkPool;
    readonly reportLost: () => void;
  }) {
    const { taps, pool, offload } = options;
    this.id = options.id;
    this.#maxOffload = offload;
    this.#reportLost = options.reportLost;
    const side = (from: BoxTap, to: BoxTap): Side => ({
      tap: from,
      way: new Way({ tapFd: from.fd, counters: from.counters, sink: new TapSink(to.fd), pool }),
      offload,
    });
    this.sides = [side(taps[0], taps[1]), side(taps[1], taps[0])];
  }

  /** When {@link onTime} must be called again. */
  get nextMs(): number {
    if (this.#lost) return Number.POSITIVE_INFINITY;
    return Math.min(this.sides[0].way.nextMs, this.sides[1].way.nextMs);
  }

  /** Whether its taps may be read. */
  get open(): boolean {
    return !this.#lost;
  }

  /** Takes up settings, which hold at once; the chances begin anew. */
  set({ directions, seed, setMs }: BoxSettings, nowMs: number, epochMs: number): void {
    for (const [index, side] of this.sides.entries()) {
      side.way.set({ ...directions[index === 0 ? 0 : 1], seed, setMs }, index, { nowMs, epochMs });
      this.#adapt(side);
    }
  }

  /** A tap has frames: takes a bounded number of them. */
  onTap(side: 0 | 1, nowMs: number): void {
    this.sides[side].way.onTap(nowMs);
  }

  /** A tap is gone; the box is of no use any more but for its removal. */
  onTapLost(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#reportLost();
  }

  /** Does what is due. */
  onTime(nowMs: number): void {
    if (this.#lost) return;
    for (const { way } of this.sides) way.onTime(nowMs);
  }

  free(): void {
    for (const { way } of this.sides) way.free();
  }

  /** Writes what the kernel dropped because a tap was full. */
  countDrops(drops: ReadonlyMap<string, number>): void {
    for (const { tap, way } of this.sides) way.countDrops(drops.get(tap.name) ?? 0);
  }

  #adapt(side: Side): void {
    const offload = side.way.needsSingleFrames ? "none" : this.#maxOffload;
    if (offload === side.offload) return;
    try {
      setTapOffload(side.tap.fd, offload);
      side.offload = offload;
    } catch (error) {
      // The tap was deleted, which poll(2) tells next.
      if (!(error instanceof SystemCallError)) throw error;
    }
  }
}

/** Writes frames to a tap. */
class TapSink implements FrameSink {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  send(memory: NativeMemory, offset: number, length: number): SendOutcome {
    if (write(this.#fd, memory.address + offset, length) === length) return "sent";
    return lastErrno() === errno.EAGAIN ? "later" : "refused";
  }
}
