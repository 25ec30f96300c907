import { counter, createCounters } from "../../../../../agent/engine/impair/counters.js";
import { ChunkPool } from "../../../../../agent/engine/impair/frame-queue.js";
import { type ImpairmentSettings, noImpairment } from "../../../../../agent/engine/impair/settings.js";
import { Pipeline, type SendOutcome } from "../../../../../agent/engine/impair/pipeline.js";

/** Bytes of the virtio-net header in front of every frame. */
export const vnetBytes = 12;

/** A frame that left a pipeline. */
export interface SentFrame {
  /** Number that {@link PipelineRig.feed} gave it. */
  readonly number: number;
  readonly atMs: number;
  readonly bytes: Buffer;
}

/** A pipeline with a clock that only tests move. Frames carry their number in their first four bytes. */
export class PipelineRig {
  readonly counters = createCounters();
  readonly sent: SentFrame[] = [];
  readonly pipeline: Pipeline;
  nowMs = 0;
  /** What the sink answers. */
  answer: SendOutcome = "sent";
  /** Keep what was sent, or only count it. */
  keep = true;
  #next = 0;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(settings: Partial<ImpairmentSettings> = {}, seed = 1n) {
    this.pipeline = new Pipeline({
      counters: this.counters,
      pool: new ChunkPool(),
      sink: {
        send: (memory, offset, length) => {
          if (this.answer === "sent" && this.keep) {
            const bytes = Buffer.from(memory.buffer.subarray(offset + vnetBytes, offset + length));
            this.sent.push({ number: bytes.length >= 4 ? bytes.readUInt32BE() : -1, atMs: this.nowMs, bytes });
          }
          return this.answer;
        },
      },
    });
    this.pipeline.reseed(seed, 0);
    this.set(settings);
  }

  set(settings: Partial<ImpairmentSettings>): void {
    this.pipeline.set({ ...noImpairment, ...settings }, this.nowMs);
    this.run();
  }

  /** One frame of so many bytes, ethernet header included, comes in now. */
  feed(bytes = 64, header: Buffer = Buffer.alloc(vnetBytes)): void {
    const { memory, offset } = this.pipeline.room;
    header.copy(memory.buffer, offset);
    memory.buffer.fill(0x55, offset + vnetBytes, offset + vnetBytes + bytes);
    memory.buffer.writeUInt32BE(this.#next, offset + vnetBytes);
    this.#next += 1;
    this.pipeline.arrived(vnetBytes + bytes, this.nowMs);
    this.run();
  }

  /** Moves the clock on, stopping at every moment at which something is due. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.#dueMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.#dueMs);
      this.run();
    }
    this.nowMs = endMs;
    this.run();
  }

  run(): void {
    do this.#dueMs = this.pipeline.run(this.nowMs);
    while (this.#dueMs <= this.nowMs);
  }

  count(name: keyof typeof counter): number {
    return this.counters[counter[name]] ?? 0;
  }

  /** Numbers of the frames that were sent, in order. */
  numbers(): number[] {
    return this.sent.map(({ number }) => number);
  }
}
