import { close, writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import { messageOf } from "../../../lib/errors.js";
import { createEventFd } from "../../../lib/libc.js";

/** One member's place in a thread. */
export interface Seat<Order> {
  /** Number of the member in the pool. */
  readonly member: number;
  post(order: Order): void;
  /** Posts an order that the thread answers, when it has obeyed it and all before it, with a report of type "obeyed"; resolves then, or when the thread has ended. */
  ask(order: Order): Promise<void>;
  /**
   * Has the thread forget the member. `order` asks for that, and the thread answers it with a report of type "released"; then the
   * member's descriptors are closed, and it resolves.
   */
  leave(order: Order, fds: readonly number[]): Promise<void>;
}

/** What a {@link ThreadPool} works with. */
export interface ThreadPoolOptions<Report> {
  /** Starts a thread. It waits for the eventfd, which is raised after orders were posted, and ends when it is ordered to "stop". */
  readonly start: (wakeFd: number) => Worker;
  /** There are never more threads than cores either. */
  readonly maxThreads: number;
  /** Which member a report is about. */
  readonly memberOf: (report: Report) => number;
  /** A thread was ended by an error; its members are lost. */
  readonly onCrash: (error: Error) => void;
}

interface PoolThread {
  readonly worker: Worker;
  readonly wakeFd: number;
  members: number;
  /** Who waits until an order is obeyed, by member, in the order of the orders. */
  readonly asking: Map<number, (() => void)[]>;
}

/** Threads that do not return to their event loop, started as members need them; a member goes to the least loaded. */
export class ThreadPool<Order, Report extends { readonly type: string }> {
  readonly #options: ThreadPoolOptions<Report>;
  readonly #threads: PoolThread[] = [];
  readonly #listeners = new Map<number, (report: Report) => void>();
  #nextMember = 1;

  constructor(options: ThreadPoolOptions<Report>) {
    this.#options = options;
  }

  /** Gives a new member to a thread; `onReport` gets what the thread reports of it until it leaves. */
  join(onReport: (report: Report) => void): Seat<Order> {
    const member = this.#nextMember;
    this.#nextMember += 1;
    const thread = this.#leastLoaded();
    thread.members += 1;
    this.#listeners.set(member, onReport);
    return {
      member,
      post: (order) => post(thread, order),
      ask: async (order) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        thread.asking.set(member, [...(thread.asking.get(member) ?? []), resolve]);
        post(thread, order);
        await promise;
      },
      leave: async (order, fds) => {
        thread.members -= 1;
        const released = new Promise<void>((resolve) => {
          this.#listeners.set(member, ({ type }) => {
            if (type === "released") resolve();
          });
        });
        post(thread, order);
        await released;
        this.#listeners.delete(member);
        // To delete a device takes the kernel tens of milliseconds, which no thread that moves frames may wait.
        await Promise.all(fds.map((fd) => closeFile(fd)));
      },
    };
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await Promise.all(
      this.#threads.map(async (thread) => {
        const exited = new Promise<void>((resolve) => thread.worker.once("exit", () => resolve()));
        post(thread, { type: "stop" });
        await exited;
      }),
    );
  }

  #leastLoaded(): PoolThread {
    const limit = Math.min(availableParallelism(), this.#options.maxThreads);
    const idle = this.#threads.find(({ members }) => members === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < limit) return this.#start();
    return this.#threads.reduce((least, thread) => (thread.members < least.members ? thread : least));
  }

  #start(): PoolThread {
    const { start, memberOf, onCrash } = this.#options;
    const wakeFd = createEventFd();
    const worker = start(wakeFd);
    const thread: PoolThread = { worker, wakeFd, members: 0, asking: new Map() };
    worker.on("message", (report: Report) => {
      const member = memberOf(report);
      if (report.type === "obeyed") onObeyed(thread, member);
      else this.#listeners.get(member)?.(report);
    });
    worker.on("error", (error) => onCrash(error instanceof Error ? error : new Error(messageOf(error))));
    worker.once("exit", () => {
      for (const resolves of thread.asking.values()) for (const resolve of resolves) resolve();
      thread.asking.clear();
    });
    this.#threads.push(thread);
    return thread;
  }
}

const closeFile = promisify(close);
const one = new BigUint64Array([1n]);

function onObeyed({ asking }: PoolThread, member: number): void {
  const [resolve, ...others] = asking.get(member) ?? [];
  if (others.length === 0) asking.delete(member);
  else asking.set(member, others);
  resolve?.();
}

function post({ worker, wakeFd }: PoolThread, order: unknown): void {
  worker.postMessage(order);
  writeSync(wakeFd, one);
}
