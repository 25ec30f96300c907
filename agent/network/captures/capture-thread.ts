import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { close, createEventFd } from "../../../lib/libc.js";
import { programPath } from "../../../lib/program.js";
import { packInstructions, type Instruction } from "./bpf.js";
import {
  type CaptureOrder,
  type CaptureReport,
  type CaptureSource,
  type CaptureThreadOptions,
  takenWord,
} from "./protocol.js";

/** What is captured. */
export interface CaptureThreadStart
  extends Pick<CaptureThreadOptions, "snapBytes" | "maxPackets" | "maxBytes" | "clockShiftNs"> {
  readonly program: readonly Instruction[];
  /** Told what the thread says, in order; "ended" is always the last. */
  readonly onReport: (report: CaptureReport) => void;
}

const one = Buffer.alloc(8);
one.writeBigUInt64LE(1n);

/** A thread of its own that captures, so that the agent's loop is held by no frame. */
export class CaptureThread {
  readonly #worker: Worker;
  readonly #taken: Int32Array;
  readonly #wakeFd: number;
  #isOver = false;
  readonly #over: Promise<void>;

  constructor(start: CaptureThreadStart) {
    const { program, onReport, snapBytes, maxPackets, maxBytes, clockShiftNs } = start;
    const wakeFd = createEventFd();
    this.#wakeFd = wakeFd;
    const taken = new SharedArrayBuffer(4);
    this.#taken = new Int32Array(taken);
    const bounds = { snapBytes, maxPackets, maxBytes, clockShiftNs };
    const options: CaptureThreadOptions = { ...bounds, program: packInstructions(program), wakeFd, taken };
    this.#worker = new Worker(programPath("capture-worker"), { workerData: options, name: "capture-worker" });
    let isEnded = false;
    const tell = (report: CaptureReport): void => {
      if (isEnded) return;
      isEnded = report.type === "ended";
      onReport(report);
    };
    this.#worker.on("message", tell);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#over = promise;
    // One that fails has said nothing of its end.
    this.#worker.on("error", (error) => {
      tell({ type: "fault", number: -1, message: error instanceof Error ? error.message : "it failed" });
    });
    this.#worker.on("exit", () => {
      this.#isOver = true;
      close(wakeFd);
      tell({ type: "ended", isFull: false });
      resolve();
    });
  }

  /** Begins to capture at a device, or at another one instead; what is said of it has this number. */
  open(number: number, source: CaptureSource): void {
    this.#order({ type: "open", number, source });
  }

  close(number: number): void {
    this.#order({ type: "close", number });
  }

  /** So many bytes of blocks were taken: more may come. */
  took(bytes: number): void {
    Atomics.add(this.#taken, takenWord, bytes);
  }

  /** Ends after what is there already; resolves when it has. */
  async end(): Promise<void> {
    this.#order({ type: "end" });
    await this.#over;
  }

  #order(order: CaptureOrder): void {
    if (this.#isOver) return;
    this.#worker.postMessage(order);
    writeSync(this.#wakeFd, one);
  }
}
