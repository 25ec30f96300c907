import { NativeMemory } from "../../../lib/libc.js";
import { Cable, socketPlaces } from "./cable.js";
import { maxDataFrameBytes } from "./frame.js";
import { ChunkPool } from "../impair/frame-queue.js";
import { read, yieldProcessor } from "../native.js";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, PollSet } from "./poll-set.js";
import { SpinWindow } from "./spin-window.js";
import { stat } from "./stats.js";
import type { CableReport, CableOrder } from "../threads/cable-orders.js";

const longestWaitMs = 1_000;

/** Entries of one cable in the poll set: its tap and its sockets. */
const entriesOfCable = 1 + socketPlaces;

/** Runs any number of cables in one thread: waits with ppoll(2), gives each ready cable one bounded turn, in order, for ever. */
export class CableLoop {
  readonly #wakeFd: number;
  readonly #nextOrder: () => CableOrder | undefined;
  readonly #report: (event: CableReport) => void;
  readonly #scratch = new NativeMemory(maxDataFrameBytes);
  readonly #pool = new ChunkPool();
  readonly #readDrops: () => ReadonlyMap<string, number> | undefined;
  readonly #setQueues: (framesByTap: ReadonlyMap<string, number>) => void;
  #nextDropsMs = 0;
  #cables: Cable[] = [];
  #pollSet = new PollSet(1);
  #dueMs = 0;
  readonly #spin = new SpinWindow();
  /** Of the lans' frames, since the last wait. */
  #movedBytes = 0;
  /** Frames have moved since the drops were counted last, and in the time before. */
  #busy = true;
  #wasBusy = true;
  #stopped = false;

  constructor(options: {
    readonly wakeFd: number;
    /** The next posted order, without waiting. */
    readonly nextOrder: () => CableOrder | undefined;
    readonly report: (event: CableReport) => void;
    /** Frames the kernel dropped because a tap's queue was full, by tap; undefined: not known now. */
    readonly readDrops: () => ReadonlyMap<string, number> | undefined;
    /** Sets how many frames taps hold for the cables. */
    readonly setQueues: (framesByTap: ReadonlyMap<string, number>) => void;
  }) {
    this.#wakeFd = options.wakeFd;
    this.#nextOrder = options.nextOrder;
    this.#report = options.report;
    this.#readDrops = options.readDrops;
    this.#setQueues = options.setQueues;
  }

  /** Returns after a "stop" order. */
  run(): void {
    while (!this.#stopped) {
      let nowMs = performance.now();
      if (nowMs >= this.#dueMs) this.#dueMs = this.#onTime(nowMs);
      this.#arm();
      nowMs = this.#wait(nowMs);
      if (this.#dispatch(nowMs)) {
        this.#takeOrders(nowMs);
        this.#dueMs = 0;
      }
    }
  }

  /** Waits until something is ready or due. Returns the time. */
  #wait(sinceMs: number): number {
    const spinUntilMs = Math.min(this.#dueMs, sinceMs + this.#spin.ms);
    let nowMs = sinceMs;
    let ready = false;
    while (!ready && nowMs < spinUntilMs) {
      ready = this.#pollSet.wait(0);
      // Others that have work get the processor.
      if (!ready) yieldProcessor();
      nowMs = performance.now();
    }
    if (!ready) this.#pollSet.wait(Math.max(0, Math.min(this.#dueMs - nowMs, longestWaitMs)));
    nowMs = performance.now();
    this.#spin.waited(nowMs - sinceMs, this.#movedBytes);
    if (this.#movedBytes > 0) this.#busy = true;
    this.#movedBytes = 0;
    return nowMs;
  }

  #onTime(nowMs: number): number {
    let next = nowMs + longestWaitMs;
    for (const cable of this.#cables) next = Math.min(next, cable.onTime(nowMs));
    if (nowMs >= this.#nextDropsMs) {
      this.#nextDropsMs = nowMs + longestWaitMs;
      this.#countDrops();
      this.#tuneQueues(nowMs);
    }
    return next;
  }

  #tuneQueues(nowMs: number): void {
    const changed = new Map<string, number>();
    for (const cable of this.#cables) {
      const frames = cable.tune(nowMs);
      if (frames !== undefined) changed.set(cable.tapName, frames);
    }
    if (changed.size > 0) this.#setQueues(changed);
  }

  #countDrops(): void {
    // What is impaired is sent when it is due, not when it comes.
    const waits = this.#cables.some((cable) => cable.blocked || cable.impairedDueMs !== Number.POSITIVE_INFINITY);
    const [busy, wasBusy] = [this.#busy || waits, this.#wasBusy];
    this.#busy = false;
    this.#wasBusy = busy;
    // Taps whose frames are all read lose none.
    if (!busy && !wasBusy) return;
    const drops = this.#readDrops();
    if (drops === undefined) return;
    for (const cable of this.#cables) {
      cable.stats[stat.droppedQueueFrames] = drops.get(cable.tapName) ?? 0;
    }
  }

  #arm(): void {
    const set = this.#pollSet;
    set.put(0, this.#wakeFd, POLLIN);
    for (const [index, cable] of this.#cables.entries()) {
      const at = 1 + entriesOfCable * index;
      set.put(at, cable.readableTapFd, POLLIN);
      for (let place = 0; place < socketPlaces; place += 1) {
        set.put(at + 1 + place, cable.socketFd(place), cable.isBlocked(place) ? POLLIN | POLLOUT : POLLIN);
      }
    }
  }

  /** Serves every ready cable. True when orders wait. */
  #dispatch(nowMs: number): boolean {
    const set = this.#pollSet;
    for (const [index, cable] of this.#cables.entries()) {
      const at = 1 + entriesOfCable * index;
      const tap = set.got(at);
      const movedBefore = cable.movedBytes;
      // From the newest place backwards: a connection that moves up in its turn is not served a second time.
      for (let place = socketPlaces - 1; place >= 0; place -= 1) {
        const socket = set.got(at + 1 + place);
        if ((socket & POLLOUT) !== 0) cable.onWritable(place);
        if ((socket & (POLLIN | POLLERR | POLLHUP)) !== 0 && cable.onReadable(place, nowMs)) this.#dueMs = 0;
      }
      if ((tap & (POLLERR | POLLHUP)) !== 0) cable.onTapLost();
      else if ((tap & POLLIN) !== 0) cable.onTap(nowMs);
      this.#movedBytes += cable.movedBytes - movedBefore;
      this.#dueMs = Math.min(this.#dueMs, cable.impairedDueMs);
    }
    return set.got(0) !== 0;
  }

  #takeOrders(nowMs: number): void {
    // Resets the counter; the eight bytes are of no interest.
    read(this.#wakeFd, this.#scratch.address, 8);
    for (let order = this.#nextOrder(); order !== undefined; order = this.#nextOrder()) this.#obey(order, nowMs);
    this.#pollSet = new PollSet(1 + entriesOfCable * this.#cables.length);
  }

  #obey(order: CableOrder, nowMs: number): void {
    switch (order.type) {
      case "add":
        this.#cables.push(
          new Cable({
            id: order.cable,
            tapFd: order.tapFd,
            tapName: order.tapName,
            stats: order.stats,
            counters: order.counters,
            pool: this.#pool,
            scratch: this.#scratch,
            report: this.#report,
          }),
        );
        return;
      case "attach":
        this.#find(order.cable)?.attach(order.connection, order.established, nowMs);
        return;
      case "impair":
        this.#find(order.cable)?.impair(order.order, nowMs);
        this.#report({ type: "obeyed", cable: order.cable });
        return;
      case "detach":
        this.#find(order.cable)?.detach(order.goodbye);
        return;
      case "notice":
        this.#find(order.cable)?.notice(order.text);
        return;
      case "probe":
        this.#find(order.cable)?.probe(order.count, nowMs);
        return;
      case "remove":
        this.#find(order.cable)?.remove(order.goodbye);
        this.#cables = this.#cables.filter((cable) => cable.id !== order.cable);
        return;
      case "stop":
        for (const cable of this.#cables) cable.remove("the cable engine is ending");
        this.#cables = [];
        this.#stopped = true;
    }
  }

  #find(id: number): Cable | undefined {
    return this.#cables.find((cable) => cable.id === id);
  }
}
