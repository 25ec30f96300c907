import { close, writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { programPath } from "../../../../../lib/program.js";
import { createEventFd } from "../native.js";
import type { SwitchTap } from "../switch-tap.js";
import type { WorkerOptions } from "../worker-protocol.js";
import type { BoxOrder, BoxReport, BoxSettings, BoxTap } from "./box-orders.js";
import { createCounters } from "./counters.js";

/** More threads than this do not make more boxes faster, and each costs memory. */
const maxWorkers = 4;

interface BoxWorker {
  readonly thread: Worker;
  readonly wakeFd: number;
  boxes: number;
}

/** One box's place in a worker. */
export interface BoxSlot {
  /** Figures that the worker keeps: of the frames that came in at a, and at b. See counters.ts. */
  readonly counters: readonly [Float64Array, Float64Array];
  set(settings: BoxSettings): void;
  /** Deletes the taps; they are gone when it resolves. */
  remove(): Promise<void>;
}

/**
 * The threads that impair frames, started as boxes need them. They are not those of the cables: a box wakes up for every frame it
 * delays, and where cables go in bulk that would cost them.
 */
export class BoxPool {
  readonly #workers: BoxWorker[] = [];
  readonly #handlers = new Map<number, (report: BoxReport) => void>();
  readonly #netns: string | undefined;
  readonly #onCrash: (error: Error) => void;
  #nextBox = 1;

  /** @param options.onCrash a thread ended by an error; its boxes are lost. */
  constructor(options: { readonly netns: string | undefined; readonly onCrash: (error: Error) => void }) {
    this.#netns = options.netns;
    this.#onCrash = options.onCrash;
  }

  /** Gives two taps to the least loaded thread, which owns their descriptors from now on. Frames pass untouched until settings are set. */
  add(taps: readonly [SwitchTap, SwitchTap], onTapLost: () => void): BoxSlot {
    const box = this.#nextBox;
    this.#nextBox += 1;
    const worker = this.#leastLoaded();
    worker.boxes += 1;
    this.#handlers.set(box, onTapLost);
    const sides = [withCounters(taps[0]), withCounters(taps[1])] as const;
    post(worker, { type: "add", box, taps: sides, offload: taps[0].offload });
    return {
      counters: [sides[0].counters, sides[1].counters],
      set: (settings) => post(worker, { type: "set", box, settings }),
      remove: async () => {
        worker.boxes -= 1;
        const released = new Promise<void>((resolve) => {
          this.#handlers.set(box, (report) => {
            if (report.type === "released") resolve();
          });
        });
        post(worker, { type: "remove", box });
        await released;
        this.#handlers.delete(box);
        // To delete a device takes the kernel tens of milliseconds, which no thread that moves frames may wait.
        await Promise.all(taps.map((tap) => closeFile(tap.fd)));
      },
    };
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        const exited = new Promise<void>((resolve) => worker.thread.once("exit", () => resolve()));
        post(worker, { type: "stop" });
        await exited;
      }),
    );
  }

  #leastLoaded(): BoxWorker {
    const limit = Math.min(availableParallelism(), maxWorkers);
    const idle = this.#workers.find((worker) => worker.boxes === 0);
    if (idle !== undefined) return idle;
    if (this.#workers.length < limit) return this.#start();
    return this.#workers.reduce((least, worker) => (worker.boxes < least.boxes ? worker : least));
  }

  #start(): BoxWorker {
    const wakeFd = createEventFd();
    const options: WorkerOptions = { wakeFd, netns: this.#netns };
    const thread = new Worker(programPath("box-worker"), { workerData: options, name: "box" });
    thread.on("message", (report: BoxReport) => this.#handlers.get(report.box)?.(report));
    thread.on("error", (error) => this.#onCrash(error instanceof Error ? error : new Error(String(error))));
    const worker = { thread, wakeFd, boxes: 0 };
    this.#workers.push(worker);
    return worker;
  }
}

const closeFile = promisify(close);
const one = new BigUint64Array([1n]);

function withCounters({ name, fd }: SwitchTap): BoxTap {
  return { name, fd, counters: createCounters() };
}

function post(worker: BoxWorker, order: BoxOrder): void {
  worker.thread.postMessage(order);
  writeSync(worker.wakeFd, one);
}
