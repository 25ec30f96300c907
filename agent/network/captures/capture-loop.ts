import { foreignWords } from "../../../lib/foreign-words.js";
import { libc, NativeMemory } from "../../../lib/libc.js";
import { BlockWriter } from "./block-writer.js";
import { PacketRing } from "./packet-ring.js";
import {
  type CaptureOrder,
  type CaptureReport,
  type CaptureSource,
  type CaptureThreadOptions,
  type InterfaceCounts,
  maxUnderWayBytes,
  takenWord,
} from "./protocol.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype next to the cast is what makes it true.
const poll = libc.func("int poll(size_t fds, ulong count, int timeout)") as unknown as (
  fds: number,
  count: number,
  timeoutMs: number,
) => number;
const read = libc.func("long read(int fd, size_t buffer, size_t count)") as unknown as (
  fd: number,
  address: number,
  count: number,
) => number;

const [pollIn, pollError] = [1, 8];
/** struct pollfd. */
const pollBytes = 8;
/** So often somebody who merges captures is told how far this one has come, and while too much is under way it is looked whether it still is. */
const [waitMs, fullWaitMs] = [100, 5];
const figuresMs = 1_000;
/** After so many bytes what was written is told although more is there. */
const tellBytes = 192 * 1024;
/** A frame gets its time a moment before it is counted. */
const countedLaterNs = 2_000_000n;
const nsPerMs = 1_000_000n;

/** An interface that frames are captured at. */
interface Opened {
  readonly number: number;
  readonly source: CaptureSource;
  readonly ring: PacketRing;
  /** Told again when they differ. */
  toldReceived: number;
}

/** What a thread that captures is made of. */
export interface CaptureLoopOptions extends CaptureThreadOptions {
  readonly nextOrder: () => CaptureOrder | undefined;
  readonly report: (report: CaptureReport) => void;
}

/** Reads rings until it is told to end: it waits in poll(2), never in the thread's event loop. */
export class CaptureLoop {
  readonly #options: CaptureLoopOptions;
  readonly #writer: BlockWriter;
  readonly #taken: Int32Array;
  readonly #opened = new Map<number, Opened>();
  /** Figures of interfaces whose device was another before. */
  readonly #before = new Map<number, InterfaceCounts>();
  readonly #wake = new NativeMemory(8);
  #polled = new NativeMemory(pollBytes);
  #sentBytes = 0;
  #packets = 0;
  #bytes = 0;
  #figuresAt = 0;
  #toldAt = 0;
  #isEnding = false;

  constructor(options: CaptureLoopOptions) {
    this.#options = options;
    this.#writer = new BlockWriter({ snapBytes: options.snapBytes, shiftNs: options.clockShiftNs });
    this.#taken = new Int32Array(options.taken);
    this.#arrangePolls();
  }

  run(): void {
    try {
      while (!this.#isEnding && !this.#isFull) {
        poll(this.#polled.address, this.#opened.size + 1, this.#isHeldUp ? fullWaitMs : waitMs);
        this.#obey();
        this.#read();
      }
      for (const opened of this.#opened.values()) this.#drain(opened, true);
    } finally {
      this.#tell(0n);
      this.#tellFigures(true);
      for (const { ring } of this.#opened.values()) ring.close();
      this.#options.report({ type: "ended", isFull: this.#isFull });
    }
  }

  get #isFull(): boolean {
    return this.#packets >= this.#options.maxPackets || this.#bytes >= this.#options.maxBytes;
  }

  /** The agent has not taken what it was told: what comes waits in the rings, and is dropped there. */
  get #isHeldUp(): boolean {
    const underWay = (this.#sentBytes - Atomics.load(this.#taken, takenWord)) | 0;
    return underWay > maxUnderWayBytes;
  }

  #obey(): void {
    // The counter goes back to zero; where it is zero already the call says so and nothing more.
    read(this.#options.wakeFd, this.#wake.address, 8);
    for (let order = this.#options.nextOrder(); order !== undefined; order = this.#options.nextOrder()) {
      if (order.type === "end") this.#isEnding = true;
      else if (order.type === "close") this.#close(order.number);
      else this.#open(order.number, order.source);
    }
  }

  #open(number: number, source: CaptureSource): void {
    this.#close(number);
    try {
      const ring = PacketRing.open({ ...source, program: this.#options.program });
      if (ring !== undefined) {
        this.#opened.set(number, { number, source, ring, toldReceived: -1 });
        this.#options.report({ type: "opened", number });
      }
    } catch (error) {
      this.#options.report({ type: "fault", number, message: foreignWords(error) });
    }
    this.#arrangePolls();
  }

  #close(number: number): void {
    const opened = this.#opened.get(number);
    if (opened === undefined) return;
    this.#drain(opened, true);
    opened.ring.countWaiting();
    this.#before.set(number, this.#countsOf(opened));
    this.#opened.delete(number);
    opened.ring.close();
    this.#arrangePolls();
  }

  #read(): void {
    if (this.#isHeldUp && !this.#isEnding) return;
    const beganNs = BigInt(Math.floor(Date.now())) * nsPerMs;
    let completeNs = beganNs;
    let index = 1;
    for (const opened of this.#opened.values()) {
      // A device went down: who waits is told again and again until it has heard.
      if ((this.#polled.buffer.readInt16LE(index * pollBytes + 6) & pollError) !== 0) opened.ring.clearError();
      index += 1;
      this.#drain(opened);
      // What waits is in a block that the kernel still fills: nothing is complete beyond what was before it.
      const lastNs = opened.ring.countWaiting() > 0 ? opened.ring.lastNs + countedLaterNs : completeNs;
      if (lastNs < completeNs) completeNs = lastNs;
    }
    this.#tell(completeNs <= countedLaterNs ? 0n : completeNs - countedLaterNs + this.#options.clockShiftNs);
    this.#tellFigures(false);
  }

  /** @param isAll no more is wanted, and what the kernel has not given over yet is. Default: more comes. */
  #drain({ ring, number, source }: Opened, isAll = false): void {
    const place = { number, isOpposite: source.isOpposite };
    const { maxPackets } = this.#options;
    const writer = this.#writer;
    const take = (frame: Parameters<BlockWriter["add"]>[1]): void => {
      if (this.#packets >= maxPackets || this.#bytes + writer.usedBytes >= this.#options.maxBytes) return;
      writer.add(ring.bytes, frame, place);
      this.#packets += 1;
    };
    while (!this.#isFull && ring.readBlock(take)) if (writer.usedBytes >= tellBytes) this.#tell(0n);
    if (isAll && !this.#isFull) ring.readRest(take);
  }

  /** @param completeNs 0: not known. */
  #tell(completeNs: bigint): void {
    const { count } = this.#writer;
    const now = performance.now();
    // The time alone is news now and then.
    if (count === 0 && (completeNs === 0n || now - this.#toldAt < waitMs)) return;
    this.#toldAt = now;
    const blocks = this.#writer.take();
    this.#sentBytes = (this.#sentBytes + blocks.length) | 0;
    this.#bytes += blocks.length;
    this.#options.report({ type: "packets", count, blocks, completeNs });
  }

  #tellFigures(always: boolean): void {
    const now = performance.now();
    if (!always && now - this.#figuresAt < figuresMs) return;
    this.#figuresAt = now;
    const all = [...this.#opened.values()];
    if (always) for (const { ring } of all) ring.countWaiting();
    const changed = all.some((each) => each.ring.counts.received !== each.toldReceived);
    if (!always && !changed) return;
    for (const each of all) each.toldReceived = each.ring.counts.received;
    const gone = [...this.#before.values()].filter(({ number }) => !this.#opened.has(number));
    const interfaces = [...gone, ...all.map((each) => this.#countsOf(each))];
    this.#options.report({ type: "figures", interfaces });
  }

  #countsOf({ number, ring }: Opened): InterfaceCounts {
    const before = this.#before.get(number);
    const { received, dropped } = ring.counts;
    return { number, received: received + (before?.received ?? 0), dropped: dropped + (before?.dropped ?? 0) };
  }

  #arrangePolls(): void {
    const fds = [this.#options.wakeFd, ...[...this.#opened.values()].map(({ ring }) => ring.fd)];
    this.#polled = new NativeMemory(fds.length * pollBytes);
    this.#polled.buffer.fill(0);
    for (const [index, fd] of fds.entries()) {
      this.#polled.buffer.writeInt32LE(fd, index * pollBytes);
      this.#polled.buffer.writeInt16LE(pollIn, index * pollBytes + 4);
    }
  }
}
