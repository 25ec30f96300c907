import { read } from "../native.js";
import { counter } from "./counters.js";
import { type ChunkPool, maxFrameBytes } from "./frame-queue.js";
import { type ImpairmentSettings, needsSingleFrames, noImpairment } from "./settings.js";
import { type FrameSink, Pipeline } from "./pipeline.js";
import { inForceAt, type Step } from "./schedule.js";

/** Frames read from a tap in one turn: bounds the time one tap keeps its worker. */
const turnFrames = 64;
const never = Number.POSITIVE_INFINITY;

/** What is asked of one direction. */
export interface WayOrder {
  readonly standing: ImpairmentSettings;
  readonly steps: readonly Step[];
  readonly seed: bigint;
  /** When it was asked for, in milliseconds since the epoch; the schedule begins then. */
  readonly setMs: number;
}

/** One direction: from a tap through a pipeline to a sink, as a schedule says. Never waits. */
export class Way {
  readonly counters: Float64Array;
  readonly #tapFd: number;
  readonly #pipeline: Pipeline;
  #standing: ImpairmentSettings = noImpairment;
  #steps: readonly Step[] = [];
  #inForce: ImpairmentSettings = noImpairment;
  /** When the schedule began, and when it changes something next, on the worker's clock. */
  #beganMs = 0;
  #changeMs = never;
  #nextMs = never;

  constructor(options: {
    readonly tapFd: number;
    readonly counters: Float64Array;
    readonly sink: FrameSink;
    readonly pool: ChunkPool;
  }) {
    this.#tapFd = options.tapFd;
    this.counters = options.counters;
    this.#pipeline = new Pipeline(options);
  }

  /** When {@link onTime} must be called again. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** The tap's offloads must be off. They are not switched with every step of a schedule: that takes the kernel a while. */
  get needsSingleFrames(): boolean {
    return [this.#standing, ...this.#steps.map(({ impairment }) => impairment)].some(needsSingleFrames);
  }

  /**
   * Takes up an order, which holds at once; the chances begin anew.
   * @param direction a small number that tells ways of one seed apart. @param clock now, on the worker's clock and since the epoch.
   */
  set(order: WayOrder, direction: number, clock: { readonly nowMs: number; readonly epochMs: number }): void {
    this.#standing = order.standing;
    this.#steps = order.steps;
    this.#beganMs = clock.nowMs - Math.max(0, clock.epochMs - order.setMs);
    this.#pipeline.reseed(order.seed, direction);
    this.#follow(clock.nowMs);
    this.onTime(clock.nowMs);
  }

  /** The tap has frames: takes a bounded number of them. */
  onTap(nowMs: number): void {
    for (let taken = 0; taken < turnFrames; taken += 1) {
      const { memory, offset } = this.#pipeline.room;
      const length = read(this.#tapFd, memory.address + offset, maxFrameBytes);
      if (length <= 0) break;
      this.#pipeline.arrived(length, nowMs);
    }
    this.#nextMs = Math.min(this.#changeMs, this.#pipeline.run(nowMs));
  }

  /** Does what is due, or what the sink takes again. */
  onTime(nowMs: number): void {
    if (nowMs >= this.#changeMs) this.#follow(nowMs);
    this.#nextMs = Math.min(this.#changeMs, this.#pipeline.run(nowMs));
  }

  /** Frames the kernel dropped because the tap was full. */
  countDrops(drops: number): void {
    this.counters[counter.tapDrops] = drops;
  }

  /** Gives the memory back; what waits is lost. */
  free(): void {
    this.#pipeline.free();
  }

  /** Puts into force what the schedule says now. */
  #follow(nowMs: number): void {
    const { settings, untilMs } = inForceAt(this.#standing, this.#steps, nowMs - this.#beganMs);
    // Rounding must not make the same moment come twice.
    this.#changeMs = Math.max(this.#beganMs + untilMs, nowMs + 0.001);
    if (settings !== this.#inForce) this.#pipeline.set(settings, nowMs);
    this.#inForce = settings;
  }
}
