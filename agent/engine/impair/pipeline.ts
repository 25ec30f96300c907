import type { NativeMemory } from "../../../lib/libc.js";
import { vnetHeaderBytes } from "../frames/frame.js";
import { BpfFilter } from "./bpf-filter.js";
import { counter } from "./counters.js";
import { type ChunkPool, type Cursor, FrameQueue } from "./frame-queue.js";
import { burstBytesOf, type ImpairmentSettings, isRandom, noImpairment, queueBytesOf } from "./settings.js";
import { jitterOf } from "./jitter.js";
import { LossModel } from "./loss-model.js";
import { Random } from "./random.js";
import { RateClock } from "./rate-clock.js";
import { flipBit, WireSize } from "./wire.js";

/** What became of a frame: it is on its way; it must be tried again later; it is refused for good. */
export type SendOutcome = "sent" | "later" | "refused";

/** Where frames leave a pipeline. */
export interface FrameSink {
  /** `length` bytes at `offset`, virtio-net header first; they are valid during the call only. */
  send(memory: NativeMemory, offset: number, length: number): SendOutcome;
}

/** Frames sent at most in one {@link Pipeline.run}: bounds the time one pipeline keeps its thread. */
const maxSent = 256;
/** Whatever the settings are, no more than this waits in one direction. */
const maxHeldBytes = 2 ** 30;

/**
 * One direction of an impairment: a wire with a transmitter in front of it. A frame may be lost, damaged, doubled or sent ahead; then
 * it waits for the rate limit in a bounded queue, and then for as long as the wire is. What chance decides depends on the seed and on
 * the frames' order only, never on time. Settings can change at any time: they hold for frames that wait as well. Pure but for the
 * sink: times are milliseconds of any steady clock.
 */
export class Pipeline {
  readonly #counters: Float64Array;
  readonly #sink: FrameSink;
  readonly #queue: FrameQueue;
  readonly #clock = new RateClock();
  readonly #loss = new LossModel();
  readonly #size = new WireSize();
  #chances = new Random(0n, 0);
  #lossChances = new Random(0n, 1);
  #settings: ImpairmentSettings = noImpairment;
  #random = false;
  #filter: BpfFilter | undefined;
  /** Frames since the last one that was dropped by {@link ImpairmentSettings.dropEvery}. */
  #sinceDrop = 0;
  #queueBytes = 0;
  #heldBytes = 0;
  #waitingBytes = 0;

  constructor(options: {
    readonly counters: Float64Array;
    readonly sink: FrameSink;
    readonly pool: ChunkPool;
  }) {
    this.#counters = options.counters;
    this.#sink = options.sink;
    this.#queue = new FrameQueue(options.pool);
  }

  /** Whether frames wait for time to pass or for the sink. */
  get holds(): boolean {
    return this.#queue.count > 0;
  }

  /**
   * Begins the sequence of chances that belongs to the seed; {@link set} must follow.
   * @param direction a small number that tells pipelines of one seed apart.
   */
  reseed(seed: bigint, direction: number): void {
    this.#chances = new Random(seed, 2 * direction);
    this.#lossChances = new Random(seed, 2 * direction + 1);
    this.#sinceDrop = 0;
  }

  /** Changes the settings. Frames that wait stay, unless nothing may pass any more. */
  set(settings: ImpairmentSettings, nowMs: number): void {
    // Up to now they waited under the old settings.
    this.#passRate(nowMs);
    const { dropEvery, dropProgram } = settings;
    if (dropEvery !== this.#settings.dropEvery) this.#sinceDrop = 0;
    this.#filter = dropProgram === undefined ? undefined : new BpfFilter(dropProgram);
    this.#settings = settings;
    this.#random = isRandom(settings);
    this.#queueBytes = queueBytesOf(settings);
    this.#clock.set({ rateBps: settings.rateBps, burstBytes: burstBytesOf(settings) }, nowMs);
    const { lossRatio: ratio, lossBurstFrames: burstFrames } = settings;
    // Takes a chance whatever the settings were, or the same seed would give another result after other settings.
    this.#loss.set({ ratio, burstFrames }, this.#lossChances.next());
    if (settings.down) this.#discard();
  }

  /** Where the next frame is to be written, with room for the largest. Valid until the next call of anything. */
  get room(): Cursor {
    return this.#queue.room;
  }

  /** A frame of `length` bytes, with its virtio-net header, was written to {@link room}. */
  arrived(length: number, nowMs: number): void {
    const { memory, offset } = this.#queue.room;
    const size = this.#size;
    size.measure(memory.buffer, offset, length);
    this.#count(counter.inFrames, size.frames);
    this.#count(counter.inBytes, size.bytes);
    if (this.#settings.down) this.#count(counter.droppedDownFrames, size.frames);
    else if (this.#random) this.#decide(length, nowMs);
    else if (!this.#isDropped(memory, offset, length)) this.#accept(length, 0, nowMs);
  }

  /** Sends what is due. Returns when there will be more to do; a time that has passed: at once; infinity: when more arrives or the sink takes more. */
  run(nowMs: number): number {
    const nextMs = Math.min(this.#passRate(nowMs), this.#deliver(nowMs));
    this.#tellQueue();
    return nextMs;
  }

  /** Gives the memory back; what waits is lost. */
  free(): void {
    this.#queue.free();
  }

  /** Leaves to chance what becomes of a frame. Takes the same number of chances for every frame, so that one setting does not change what another does. */
  #decide(length: number, nowMs: number): void {
    const { duplicateRatio, reorderRatio, corruptRatio, jitterDistribution } = this.#settings;
    const chances = this.#chances;
    const lost = this.#loss.loses(this.#lossChances.next());
    const twice = chances.next() < duplicateRatio;
    const ahead = chances.next() < reorderRatio;
    const damaged = chances.next() < corruptRatio;
    const which = chances.next();
    const spread = jitterOf(jitterDistribution, chances.next(), chances.next());
    const { memory, offset } = this.#queue.room;
    // After the chances were taken: what is dropped must not change them.
    if (this.#isDropped(memory, offset, length)) return;
    if (lost) {
      this.#count(counter.lostFrames, this.#size.frames);
      return;
    }
    if (damaged && flipBit(memory.buffer, offset, length, which)) this.#count(counter.corruptedFrames, 1);
    if (twice) this.#count(counter.duplicatedFrames, this.#size.frames);
    if (ahead && this.#queue.count > 0 && this.#overtake(length, nowMs)) {
      if (twice) this.#overtake(length, nowMs);
      return;
    }
    if (twice) this.#acceptTwice(length, spread, nowMs);
    else this.#accept(length, spread, nowMs);
  }

  /** Whether a frame is one of those that are dropped for what they are, or for how many came before. */
  #isDropped(memory: NativeMemory, offset: number, length: number): boolean {
    const { frames } = this.#size;
    if (this.#filter?.matches(memory.buffer, offset + vnetHeaderBytes, length - vnetHeaderBytes) === true) {
      this.#count(counter.droppedFilterFrames, frames);
      return true;
    }
    const { dropEvery } = this.#settings;
    if (dropEvery === 0) return false;
    this.#sinceDrop += frames;
    if (this.#sinceDrop < dropEvery) return false;
    this.#sinceDrop %= dropEvery;
    this.#count(counter.droppedNthFrames, frames);
    return true;
  }

  /** Sends a frame ahead of those that wait. The rate pays for it all the same. False when the sink does not take it now. */
  #overtake(length: number, nowMs: number): boolean {
    const { frames, bytes } = this.#size;
    if (!this.#send(this.#queue.room, length, bytes, frames)) return false;
    this.#clock.pass(bytes, nowMs);
    this.#count(counter.reorderedFrames, frames);
    return true;
  }

  #acceptTwice(length: number, spread: number, nowMs: number): void {
    const { memory, offset } = this.#queue.room;
    this.#accept(length, spread, nowMs);
    const copy = this.#queue.room;
    // When the frame was sent at once, or dropped, its bytes are still in the place that is free again.
    if (copy.memory !== memory || copy.offset !== offset) {
      memory.buffer.copy(copy.memory.buffer, copy.offset, offset, offset + length);
    }
    this.#accept(length, spread, nowMs);
  }

  /** Sends a frame on its way: at once when nothing keeps it, else through the queue. */
  #accept(length: number, spread: number, nowMs: number): void {
    const { delayMs, jitterMs } = this.#settings;
    const { frames, bytes } = this.#size;
    const room = this.#queue.room;
    const keeps = delayMs + jitterMs > 0 || this.#clock.limited || this.#queue.count > 0;
    if (!keeps && this.#send(room, length, bytes, frames)) return;
    if (!this.#fits(bytes, nowMs)) {
      this.#count(counter.droppedQueueFrames, frames);
      return;
    }
    room.timeMs = nowMs;
    room.spread = spread;
    room.length = length;
    room.wireBytes = bytes;
    room.wireFrames = frames;
    this.#queue.append();
    this.#heldBytes += bytes;
    this.#waitingBytes += bytes;
  }

  #fits(bytes: number, nowMs: number): boolean {
    if (this.#heldBytes + bytes <= Math.min(this.#queueBytes, maxHeldBytes)) return true;
    this.#passRate(nowMs);
    const empty = this.#clock.limited ? this.#queue.waitingCount === 0 : this.#queue.count === 0;
    const held = this.#clock.limited ? this.#waitingBytes : this.#heldBytes;
    return (empty || held + bytes <= this.#queueBytes) && this.#heldBytes + bytes <= maxHeldBytes;
  }

  /** Lets frames through the rate limit whose time has come. Returns when the next one's comes. */
  #passRate(nowMs: number): number {
    const queue = this.#queue;
    while (queue.waitingCount > 0) {
      const frame = queue.waiting;
      const passMs = Math.max(frame.timeMs, this.#clock.earliestMs(frame.wireBytes));
      if (passMs > nowMs) return passMs;
      this.#clock.pass(frame.wireBytes, passMs);
      this.#waitingBytes -= frame.wireBytes;
      frame.timeMs = passMs;
      queue.pass();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Sends frames that have been delayed enough. Returns when the next one's time comes. */
  #deliver(nowMs: number): number {
    const { delayMs, jitterMs } = this.#settings;
    const queue = this.#queue;
    for (let sent = 0; queue.count > queue.waitingCount; sent += 1) {
      const frame = queue.first;
      const dueMs = frame.timeMs + Math.max(0, delayMs + frame.spread * jitterMs);
      if (dueMs > nowMs || sent === maxSent) return dueMs;
      const { wireBytes } = frame;
      if (!this.#send(frame, frame.length, wireBytes, frame.wireFrames)) break;
      this.#heldBytes -= wireBytes;
      queue.remove();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** False when the sink wants it later. */
  #send(frame: Cursor, length: number, wireBytes: number, wireFrames: number): boolean {
    const outcome = this.#sink.send(frame.memory, frame.offset, length);
    if (outcome === "later") return false;
    if (outcome === "refused") {
      this.#count(counter.droppedPortFrames, wireFrames);
      return true;
    }
    this.#count(counter.outFrames, wireFrames);
    this.#count(counter.outBytes, wireBytes);
    return true;
  }

  /** Writes how much waits into the figures. */
  #tellQueue(): void {
    this.#counters[counter.queuedFrames] = this.#queue.count;
    this.#counters[counter.queuedBytes] = this.#heldBytes;
  }

  #discard(): void {
    const queue = this.#queue;
    while (queue.waitingCount > 0) queue.pass();
    while (queue.count > 0) {
      this.#count(counter.droppedDownFrames, queue.first.wireFrames);
      queue.remove();
    }
    this.#heldBytes = 0;
    this.#waitingBytes = 0;
    this.#tellQueue();
  }

  #count(index: number, by: number): void {
    this.#counters[index] = (this.#counters[index] ?? 0) + by;
  }
}
