import { close, writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { programPath } from "../../../../lib/program.js";
import { createCounters } from "./impair/counters.js";
import type { WayOrder } from "./impair/way.js";
import { createEventFd } from "./native.js";
import { createStats } from "./stats.js";
import type { EstablishedConnection, WorkerEvent, WorkerOptions, WorkerOrder } from "./worker-protocol.js";

/** More threads than this do not make more cables faster, and each costs memory. */
const maxWorkers = 8;

interface PoolWorker {
  readonly thread: Worker;
  readonly wakeFd: number;
  cables: number;
}

/** One cable's place in a worker. */
export interface CableSlot {
  /** Figures that the worker keeps, see stats.ts. */
  readonly stats: Float64Array;
  /** Figures of the impairment, see impair/counters.ts. */
  readonly counters: Float64Array;
  /** Impairs what the cable sends; undefined: no more. */
  impair(order: WayOrder | undefined): void;
  attach(connection: number, established: EstablishedConnection): void;
  detach(goodbye: string): void;
  notice(text: string): void;
  /** Sends so many probes in quick succession. */
  probe(count: number): void;
  /** Closes connection and tap; the tap is gone when it resolves. */
  remove(goodbye: string): Promise<void>;
}

/** The threads that move frames. They are started as cables need them, up to one for each core. */
export class WorkerPool {
  readonly #workers: PoolWorker[] = [];
  readonly #handlers = new Map<number, (event: WorkerEvent) => void>();
  readonly #netns: string | undefined;
  readonly #onCrash: (error: Error) => void;
  #nextCable = 1;

  /** @param options.onCrash a thread ended by an error; its cables are lost. */
  constructor(options: { readonly netns: string | undefined; readonly onCrash: (error: Error) => void }) {
    this.#netns = options.netns;
    this.#onCrash = options.onCrash;
  }

  /** Gives a tap to the least loaded thread, which owns its descriptor from now on. */
  add(tap: { readonly name: string; readonly fd: number }, handler: (event: WorkerEvent) => void): CableSlot {
    const cable = this.#nextCable;
    this.#nextCable += 1;
    const worker = this.#leastLoaded();
    worker.cables += 1;
    this.#handlers.set(cable, handler);
    const stats = createStats();
    const counters = createCounters();
    const order = (message: WorkerOrder): void => post(worker, message);
    order({ type: "add", cable, tapFd: tap.fd, tapName: tap.name, stats, counters });
    return {
      stats,
      counters,
      impair: (wanted) => order({ type: "impair", cable, order: wanted }),
      attach: (connection, established) => order({ type: "attach", cable, connection, established }),
      detach: (goodbye) => order({ type: "detach", cable, goodbye }),
      notice: (text) => order({ type: "notice", cable, text }),
      probe: (count) => order({ type: "probe", cable, count }),
      remove: async (goodbye) => {
        worker.cables -= 1;
        const released = new Promise<void>((resolve) => {
          this.#handlers.set(cable, (event) => {
            if (event.type === "released") resolve();
          });
        });
        order({ type: "remove", cable, goodbye });
        await released;
        this.#handlers.delete(cable);
        // To delete a device takes the kernel tens of milliseconds, which no thread that moves frames may wait.
        await closeFile(tap.fd);
      },
    };
  }

  /** Says goodbye on all connections, closes all taps and ends the threads. */
  async close(): Promise<void> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        const exited = new Promise<void>((resolve) => worker.thread.once("exit", () => resolve()));
        post(worker, { type: "stop" });
        await exited;
      }),
    );
  }

  #leastLoaded(): PoolWorker {
    const limit = Math.min(availableParallelism(), maxWorkers);
    const idle = this.#workers.find((worker) => worker.cables === 0);
    if (idle !== undefined) return idle;
    if (this.#workers.length < limit) return this.#start();
    return this.#workers.reduce((least, worker) => (worker.cables < least.cables ? worker : least));
  }

  #start(): PoolWorker {
    const wakeFd = createEventFd();
    const options: WorkerOptions = { wakeFd, netns: this.#netns };
    const thread = new Worker(programPath("cable-worker"), { workerData: options, name: "cable" });
    thread.on("message", (event: WorkerEvent) => this.#handlers.get(event.cable)?.(event));
    thread.on("error", (error) => this.#onCrash(error instanceof Error ? error : new Error(String(error))));
    const worker = { thread, wakeFd, cables: 0 };
    this.#workers.push(worker);
    return worker;
  }
}

const closeFile = promisify(close);
const one = new BigUint64Array([1n]);

function post(worker: PoolWorker, order: WorkerOrder): void {
  worker.thread.postMessage(order);
  writeSync(worker.wakeFd, one);
}
