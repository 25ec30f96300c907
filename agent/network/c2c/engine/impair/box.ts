import { errno, lastErrno, type NativeMemory, read, SystemCallError, write } from "../native.js";
import { setTapOffload, type TapOffload } from "../tap.js";
import type { BoxSettings, BoxTap, DirectionOrder } from "./box-orders.js";
import { counter } from "./counters.js";
import { type ChunkPool, maxFrameBytes } from "./frame-queue.js";
import { type Impairment, needsSingleFrames, noImpairment } from "./impairment.js";
import { type FrameSink, Pipeline, type SendOutcome } from "./pipeline.js";
import { inForceAt } from "./schedule.js";

/** Frames read from one tap in one turn: bounds the time one box keeps its worker. */
const turnFrames = 64;
const never = Number.POSITIVE_INFINITY;

/** One direction: from one tap to the other. */
interface Way {
  readonly tap: BoxTap;
  readonly pipeline: Pipeline;
  order: DirectionOrder;
  inForce: Impairment;
  /** When the schedule changes something next. */
  changeMs: number;
  offload: TapOffload;
}

/** One box in a worker: two taps and what lies between them. All methods run in the worker's thread and never wait. */
export class Box {
  readonly id: number;
  readonly ways: readonly [Way, Way];
  readonly #maxOffload: TapOffload;
  readonly #reportLost: () => void;
  #lost = false;
  /** When the schedules began, on the worker's clock. */
  #beganMs = 0;
  #nextMs = never;

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
    const way = (from: BoxTap, to: BoxTap): Way => ({
      tap: from,
      pipeline: new Pipeline({ counters: from.counters, sink: new TapSink(to.fd), pool }),
      order: { standing: noImpairment, steps: [] },
      inForce: noImpairment,
      changeMs: never,
      offload,
    });
    this.ways = [way(taps[0], taps[1]), way(taps[1], taps[0])];
  }

  /** When {@link onTime} must be called again. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** Whether its taps may be read. */
  get open(): boolean {
    return !this.#lost;
  }

  /** Takes up settings, which hold at once; the chances begin anew. */
  set(settings: BoxSettings, nowMs: number, nowEpochMs: number): void {
    this.#beganMs = nowMs - Math.max(0, nowEpochMs - settings.setMs);
    for (const [index, way] of this.ways.entries()) {
      way.order = settings.directions[index === 0 ? 0 : 1];
      way.pipeline.reseed(BigInt(settings.seed), index);
      this.#adapt(way);
      this.#follow(way, nowMs);
    }
    this.onTime(nowMs);
  }

  /** A tap has frames: takes a bounded number of them. */
  onTap(side: 0 | 1, nowMs: number): void {
    const { tap, pipeline } = this.ways[side];
    for (let taken = 0; taken < turnFrames; taken += 1) {
      const { memory, offset } = pipeline.room;
      const length = read(tap.fd, memory.address + offset, maxFrameBytes);
      if (length <= 0) break;
      pipeline.arrived(length, nowMs);
    }
    this.#nextMs = Math.min(this.#nextMs, pipeline.run(nowMs));
  }

  /** A tap is gone; the box is of no use any more but for its removal. */
  onTapLost(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#nextMs = never;
    this.#reportLost();
  }

  /** Does what is due. */
  onTime(nowMs: number): void {
    this.#nextMs = never;
    if (this.#lost) return;
    for (const way of this.ways) {
      if (nowMs >= way.changeMs) this.#follow(way, nowMs);
      this.#nextMs = Math.min(this.#nextMs, way.changeMs, way.pipeline.run(nowMs));
    }
  }

  free(): void {
    for (const { pipeline } of this.ways) pipeline.free();
  }

  /** Writes what the kernel dropped because a tap was full. */
  countDrops(drops: ReadonlyMap<string, number>): void {
    for (const { tap } of this.ways) tap.counters[counter.tapDrops] = drops.get(tap.name) ?? 0;
  }

  /** Puts into force what the schedule says now. */
  #follow(way: Way, nowMs: number): void {
    const { standing, steps } = way.order;
    const { settings, untilMs } = inForceAt(standing, steps, nowMs - this.#beganMs);
    // Rounding must not make the same moment come twice.
    way.changeMs = Math.max(this.#beganMs + untilMs, nowMs + 0.001);
    if (settings !== way.inForce) way.pipeline.set(settings, nowMs);
    way.inForce = settings;
  }

  /** Offloads are not switched with every step of a schedule: that takes the kernel a while. */
  #adapt(way: Way): void {
    const { standing, steps } = way.order;
    const single = [standing, ...steps.map(({ impairment }) => impairment)].some(needsSingleFrames);
    const offload = single ? "none" : this.#maxOffload;
    if (offload === way.offload) return;
    try {
      setTapOffload(way.tap.fd, offload);
      way.offload = offload;
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
