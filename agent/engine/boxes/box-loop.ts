import { NativeMemory } from "../../../lib/libc.js";
import { read } from "../native.js";
import { POLLERR, POLLHUP, POLLIN, PollSet } from "../frames/poll-set.js";
import { Box } from "./box.js";
import type { BoxOrder, BoxReport } from "../threads/box-orders.js";
import { ChunkPool } from "../impair/frame-queue.js";

const longestWaitMs = 60_000;
const dropsIntervalMs = 1_000;
const sides = [0, 1] as const;

/** Runs any number of boxes in one thread: waits with ppoll(2), gives each ready tap one bounded turn, in order, for ever. */
export class BoxLoop {
  readonly #options: BoxLoopOptions;
  readonly #pool = new ChunkPool();
  readonly #scratch = new NativeMemory(8);
  #boxes: Box[] = [];
  #pollSet = new PollSet(1);
  #stopped = false;
  /** When drops are to be counted: only after frames came, so that idle boxes cost nothing. */
  #dropsMs = Number.POSITIVE_INFINITY;

  constructor(options: BoxLoopOptions) {
    this.#options = options;
  }

  /** Returns after a "stop" order. */
  run(): void {
    while (!this.#stopped) {
      const dueMs = this.#onTime(performance.now());
      this.#arm();
      this.#pollSet.wait(Math.min(longestWaitMs, Math.max(0, dueMs - performance.now())));
      if (this.#dispatch(performance.now())) this.#takeOrders();
    }
  }

  /** Does what is due; returns when there will be more. */
  #onTime(nowMs: number): number {
    if (nowMs >= this.#dropsMs) this.#countDrops();
    let nextMs = this.#dropsMs;
    for (const box of this.#boxes) {
      if (nowMs >= box.nextMs) box.onTime(nowMs);
      nextMs = Math.min(nextMs, box.nextMs);
    }
    return nextMs;
  }

  #countDrops(): void {
    this.#dropsMs = Number.POSITIVE_INFINITY;
    const drops = this.#options.readDrops();
    if (drops === undefined) return;
    for (const box of this.#boxes) box.countDrops(drops);
  }

  #arm(): void {
    const set = this.#pollSet;
    set.put(0, this.#options.wakeFd, POLLIN);
    for (const [index, box] of this.#boxes.entries()) {
      for (const side of sides) set.put(1 + 2 * index + side, box.open ? box.sides[side].tap.fd : -1, POLLIN);
    }
  }

  /** Serves every ready tap. True when orders wait. */
  #dispatch(nowMs: number): boolean {
    const set = this.#pollSet;
    for (const [index, box] of this.#boxes.entries()) {
      for (const side of sides) {
        const got = set.got(1 + 2 * index + side);
        if ((got & (POLLERR | POLLHUP)) !== 0) box.onTapLost();
        else if ((got & POLLIN) !== 0) {
          box.onTap(side, nowMs);
          if (this.#dropsMs === Number.POSITIVE_INFINITY) this.#dropsMs = nowMs + dropsIntervalMs;
        }
      }
    }
    return set.got(0) !== 0;
  }

  #takeOrders(): void {
    // Resets the counter; the eight bytes are of no interest.
    read(this.#options.wakeFd, this.#scratch.address, 8);
    const { nextOrder } = this.#options;
    for (let order = nextOrder(); order !== undefined; order = nextOrder()) this.#obey(order);
    this.#pollSet = new PollSet(1 + 2 * this.#boxes.length);
  }

  #obey(order: BoxOrder): void {
    switch (order.type) {
      case "add":
        this.#boxes.push(
          new Box({
            id: order.box,
            taps: order.taps,
            offload: order.offload,
            pool: this.#pool,
            reportLost: () => this.#options.report({ type: "tapLost", box: order.box }),
          }),
        );
        return;
      case "set":
        this.#find(order.box)?.set(order.settings, performance.now(), Date.now());
        this.#options.report({ type: "obeyed", box: order.box });
        return;
      case "remove":
        this.#find(order.box)?.free();
        this.#boxes = this.#boxes.filter((box) => box.id !== order.box);
        this.#options.report({ type: "released", box: order.box });
        return;
      case "stop":
        this.#boxes = [];
        this.#stopped = true;
    }
  }

  #find(id: number): Box | undefined {
    return this.#boxes.find((box) => box.id === id);
  }
}

/** What a {@link BoxLoop} works with. */
export interface BoxLoopOptions {
  readonly wakeFd: number;
  /** The next posted order, without waiting. */
  readonly nextOrder: () => BoxOrder | undefined;
  readonly report: (report: BoxReport) => void;
  /** Frames the kernel dropped because a tap's queue was full, by tap; undefined: not known now. */
  readonly readDrops: () => ReadonlyMap<string, number> | undefined;
}
