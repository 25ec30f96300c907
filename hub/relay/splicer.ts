import { writeSync } from "node:fs";
import type { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { close, createEventFd } from "../../lib/libc.js";
import type { Log } from "../../lib/log.js";
import { programPath } from "../../lib/program.js";
import type { SpliceEnd, SpliceEvent, SpliceOrder, SpliceWorkerOptions } from "./splice/protocol.js";

/** How a pair is spliced. */
export interface SpliceOptions {
  /** The hosts at the two ends. */
  readonly hosts: readonly [string, string];
  /** The byte that both are sent first. */
  readonly firstByte: number;
  /** Told of bytes that were passed on, either way: every half second, and before {@link onClosed}. */
  readonly onBytes: (bytes: number) => void;
  /** Told once, when the pair is over. Both sockets are closed, or will be at once. */
  readonly onClosed: () => void;
  /** Without a byte either way for so long the pair is closed: a live cable probes every second. */
  readonly idleMs: number;
  /** How long the second half may go on when the first has ended. */
  readonly lingerMs: number;
}

/** What a splicer works with. */
export interface SplicerOptions {
  readonly log: Log;
  /** Starts the thread; another than the hub's own in tests. */
  readonly startThread?: (options: SpliceWorkerOptions) => Worker;
}

/** A pair that is spliced. */
export interface Spliced {
  /** Ends it at once, and tells `onClosed` before it returns. */
  readonly close: () => void;
  /** How long ago bytes came from the first or the second socket, in ms, to half a second. */
  readonly quietMs: (side: 0 | 1) => number;
}

interface SplicePair {
  readonly sockets: readonly [Socket, Socket];
  readonly options: SpliceOptions;
  readonly carried: Float64Array<SharedArrayBuffer>;
  /** Bytes that were told of, from each. */
  readonly told: [number, number];
  /** When bytes were last seen to have come, from each. */
  readonly heardMs: [number, number];
  /** The owner was told. */
  closed: boolean;
}

/** A thread that runs, and what it has been given. */
interface SpliceThread {
  readonly worker: Worker;
  readonly wakeFd: number;
  readonly pairs: Map<number, SplicePair>;
  readonly exited: Promise<void>;
}

/** How often bytes are told of. */
const tellMs = 500;

/**
 * Passes bytes between the two sockets of pairs, in a thread of its own, so that cables never take the hub's time. The thread works on
 * the sockets' descriptors, which stay Node's: a socket is closed here, after the thread has let go of it or has ended. A thread
 * that fails takes its pairs with it; the next pair gets a new one.
 */
export class Splicer {
  readonly #log: Log;
  readonly #startThread: (options: SpliceWorkerOptions) => Worker;
  #thread: SpliceThread | undefined;
  #nextPair = 1;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor({ log, startThread = startWorker }: SplicerOptions) {
    this.#log = log;
    this.#startThread = startThread;
  }

  /**
   * Passes bytes between two connected sockets of which nobody reads or writes any more, both ways, until both have ended or one
   * breaks. Neither is read faster than the other takes it.
   */
  splice(sockets: readonly [Socket, Socket], options: SpliceOptions): Spliced {
    const carried = new Float64Array(new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT));
    const nowMs = performance.now();
    const pair: SplicePair = { sockets, options, carried, told: [0, 0], heardMs: [nowMs, nowMs], closed: false };
    const quietMs = (side: 0 | 1): number => {
      this.#tell(pair);
      return performance.now() - pair.heardMs[side];
    };
    const [left, right] = [takeDescriptor(sockets[0]), takeDescriptor(sockets[1])];
    const thread = left === undefined || right === undefined || this.#closing ? undefined : this.#running();
    if (left === undefined || right === undefined || thread === undefined) {
      // One broke on its way here, or there is no thread. The caller does not expect to be told before it has this function's answer.
      queueMicrotask(() => this.#end(pair));
      return { close: () => this.#end(pair), quietMs };
    }
    const id = this.#nextPair;
    this.#nextPair += 1;
    thread.pairs.set(id, pair);
    const { hosts, firstByte, idleMs, lingerMs } = options;
    post(thread, { type: "splice", pair: id, hosts, fds: [left, right], firstByte, carried, idleMs, lingerMs });
    const close = (): void => {
      if (pair.closed) return;
      this.#close(pair);
      if (thread.pairs.has(id)) post(thread, { type: "cut", pair: id });
    };
    return { close, quietMs };
  }

  /** Ends all pairs and the thread. */
  async close(): Promise<void> {
    this.#closing = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    // Nothing else may keep this process until the thread has ended.
    thread.worker.ref();
    post(thread, { type: "stop" });
    await thread.exited;
  }

  /** Undefined when none can be started, as with too many open files. The next pair is another attempt. */
  #running(): SpliceThread | undefined {
    try {
      this.#thread ??= this.#start();
    } catch (error) {
      this.#log.error({ err: error }, "the relay's thread cannot be started; a pair of connections is closed");
      return undefined;
    }
    this.#timer ??= setInterval(() => this.#tellAll(), tellMs).unref();
    return this.#thread;
  }

  #start(): SpliceThread {
    const wakeFd = createEventFd();
    let worker: Worker;
    try {
      worker = this.#startThread({ wakeFd });
    } catch (error) {
      close(wakeFd);
      throw error;
    }
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    const thread: SpliceThread = { worker, wakeFd, pairs: new Map(), exited };
    worker.on("message", ({ pair: id, cause, detail }: SpliceEvent) => {
      const pair = thread.pairs.get(id);
      if (pair === undefined) return;
      thread.pairs.delete(id);
      this.#logEnd(cause, detail, pair);
      this.#end(pair);
    });
    worker.on("error", (error) => this.#log.error({ err: error }, "the relay's thread failed; what it carried is cut"));
    worker.on("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
      clearInterval(this.#timer);
      this.#timer = undefined;
      close(wakeFd);
      for (const pair of thread.pairs.values()) this.#end(pair);
      thread.pairs.clear();
      resolve();
    });
    // It ends with the hub, not the other way round.
    worker.unref();
    return thread;
  }

  #logEnd(cause: SpliceEnd, detail: string, { sockets, carried }: SplicePair): void {
    const peers = sockets.map(({ remoteAddress }) => remoteAddress);
    const facts = { cause, detail, peers, bytes: (carried[0] ?? 0) + (carried[1] ?? 0) };
    if (cause === "failed") this.#log.error(facts, "a relayed connection cannot go on");
    else this.#log.debug(facts, "a relayed connection is over");
  }

  /** The thread has let go of it. */
  #end(pair: SplicePair): void {
    for (const socket of pair.sockets) socket.destroy();
    this.#close(pair);
  }

  #close(pair: SplicePair): void {
    this.#tell(pair);
    if (pair.closed) return;
    pair.closed = true;
    pair.options.onClosed();
  }

  #tellAll(): void {
    for (const pair of this.#thread?.pairs.values() ?? []) this.#tell(pair);
  }

  #tell(pair: SplicePair): void {
    let bytes = 0;
    for (const side of [0, 1] as const) {
      const carried = pair.carried[side] ?? 0;
      if (carried === pair.told[side]) continue;
      bytes += carried - pair.told[side];
      pair.told[side] = carried;
      pair.heardMs[side] = performance.now();
    }
    if (bytes > 0) pair.options.onBytes(bytes);
  }
}

const one = new BigUint64Array([1n]);

function post(thread: SpliceThread, order: SpliceOrder): void {
  thread.worker.postMessage(order);
  writeSync(thread.wakeFd, one);
}

function startWorker(options: SpliceWorkerOptions): Worker {
  return new Worker(programPath("relay-worker"), { workerData: options, name: "relay" });
}

/** Makes Node keep its hands off a socket that it goes on to own. Undefined when it is closed. */
function takeDescriptor(socket: Socket): number | undefined {
  socket.pause();
  // Node keeps the handle in a field that is not part of its types; `fd` and `readStop` have been there since Node 0.x. A paused
  // socket would still be read until its buffer is full.
  const handle = (socket as unknown as { readonly _handle: { readonly fd: number; readStop(): void } | null })._handle;
  if (handle === null || handle.fd < 0 || socket.destroyed || socket.readableLength > 0) return undefined;
  handle.readStop();
  return handle.fd;
}
