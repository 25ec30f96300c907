import { readSync } from "node:fs";
import { messageOf } from "../../../lib/errors.js";
import { BrokenSocket } from "./direction.js";
import { Epoll } from "./epoll.js";
import { FairTurns } from "./fair-turns.js";
import { sendByte } from "./native.js";
import { PipePool } from "./pipe-pool.js";
import type { SpliceEnd, SpliceEvent, SpliceOrder } from "./protocol.js";
import { SplicedPair } from "./spliced-pair.js";

/** What a loop works with. */
export interface SpliceLoopOptions {
  readonly wakeFd: number;
  readonly nextOrder: () => SpliceOrder | undefined;
  readonly report: (event: SpliceEvent) => void;
}

/** The counter's id among what is waited for. */
const wakeId = 0;
/** Longest time without a look at how long pairs were silent. */
const lookMs = 1_000;

/** Passes on the bytes of all pairs, in one thread that waits in epoll_wait(2) and is woken through a counter. */
export class SpliceLoop {
  readonly #options: SpliceLoopOptions;
  readonly #epoll = new Epoll();
  readonly #pipes = new PipePool();
  readonly #pairs = new Map<number, SplicedPair>();
  /** Pairs that have something to move. */
  readonly #turns = new FairTurns();
  #nextLookMs = 0;
  #stopping = false;

  constructor(options: SpliceLoopOptions) {
    this.#options = options;
  }

  /** Serves until it is told to stop, which lets go of all pairs without a word. @throws when it cannot go on. */
  run(): void {
    try {
      this.#epoll.addCounter(this.#options.wakeFd, wakeId);
      // What was posted before the counter was waited for.
      this.#obey();
      while (!this.#stopping) this.#turn();
    } finally {
      this.#pipes.close();
      this.#epoll.close();
    }
  }

  #turn(): void {
    const timeoutMs = this.#turns.isIdle ? Math.max(0, this.#nextLookMs - performance.now()) : 0;
    for (const { id, side, readable, writable, broken } of this.#epoll.wait(timeoutMs)) {
      const pair = this.#pairs.get(id);
      if (id === wakeId) this.#onWake();
      else if (pair === undefined) continue;
      else if (broken) this.#end(id, "broken", "a connection broke");
      else {
        pair.note(side, { readable, writable });
        this.#turns.wants(id);
      }
    }
    const nowMs = performance.now();
    for (const id of this.#turns.take()) this.#move(id, nowMs);
    if (nowMs >= this.#nextLookMs) this.#look(nowMs);
  }

  #onWake(): void {
    readSync(this.#options.wakeFd, new BigUint64Array(1));
    this.#obey();
  }

  #obey(): void {
    for (let order = this.#options.nextOrder(); order !== undefined; order = this.#options.nextOrder()) {
      switch (order.type) {
        case "splice":
          this.#add(order);
          break;
        case "cut":
          this.#end(order.pair, "cut", "");
          break;
        case "stop":
          this.#stopping = true;
          break;
        default:
          throw new Error(`not an order: ${JSON.stringify(order satisfies never)}`);
      }
    }
  }

  #add(order: Extract<SpliceOrder, { type: "splice" }>): void {
    const { pair: id, fds, firstByte, hosts } = order;
    this.#pairs.set(id, new SplicedPair(order, this.#pipes, performance.now()));
    this.#turns.add(id, hosts);
    // Both are told before either's bytes are passed on.
    if (!fds.map((fd) => sendByte(fd, firstByte)).every(Boolean)) {
      this.#end(id, "broken", "a connection broke before its pair began");
      return;
    }
    try {
      for (const [side, fd] of fds.entries()) this.#epoll.addSocket(fd, id, side);
    } catch (error) {
      this.#end(id, "failed", messageOf(error));
    }
    // Its deadline may be before the next look.
    this.#nextLookMs = 0;
  }

  #move(id: number, nowMs: number): void {
    const pair = this.#pairs.get(id);
    if (pair === undefined) return;
    try {
      if (pair.move(nowMs)) this.#turns.wants(id);
    } catch (error) {
      this.#end(id, error instanceof BrokenSocket ? "broken" : "failed", messageOf(error));
      return;
    }
    if (pair.isOver) this.#end(id, "ended", "");
    else this.#nextLookMs = Math.min(this.#nextLookMs, pair.deadlineMs);
  }

  /** Ends the pairs whose time is over. */
  #look(nowMs: number): void {
    let next = nowMs + lookMs;
    for (const [id, pair] of [...this.#pairs]) {
      if (pair.deadlineMs <= nowMs) this.#end(id, "silent", "its time is over");
      else next = Math.min(next, pair.deadlineMs);
    }
    this.#nextLookMs = next;
  }

  #end(id: number, cause: SpliceEnd, detail: string): void {
    const pair = this.#pairs.get(id);
    if (pair === undefined) return;
    this.#pairs.delete(id);
    this.#turns.remove(id);
    for (const fd of pair.fds) this.#epoll.remove(fd);
    pair.release();
    this.#options.report({ pair: id, cause, detail });
  }
}
