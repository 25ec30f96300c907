import { parentPort, receiveMessageOnPort, Worker, workerData } from "node:worker_threads";
import { programPath } from "../../../lib/program.js";

/** What a thread that moves frames is started with. */
export interface ThreadOptions {
  /** Counter that is raised after orders were posted. */
  readonly wakeFd: number;
  /** Named net namespace in which the taps are; undefined: the process's own. */
  readonly netns: string | undefined;
}

/** Starts a program of this project as a thread, which opens itself with {@link openThread}. */
export function startThread(program: "cable-worker" | "box-worker", options: ThreadOptions): Worker {
  return new Worker(programPath(program), { workerData: options, name: program });
}

/** A thread as it sees itself. It never returns to its event loop: it waits in ppoll(2) and is woken through an eventfd. */
export interface OpenThread<Order, Report> extends ThreadOptions {
  /** The next posted order, without waiting. */
  readonly nextOrder: () => Order | undefined;
  readonly report: (report: Report) => void;
  /** Lets the thread end. */
  readonly close: () => void;
}

/** The calling thread's own side. @throws {Error} when it was not started by {@link startThread}. */
export function openThread<Order, Report>(): OpenThread<Order, Report> {
  const port = parentPort;
  if (port === null) throw new Error("this is not a program of its own; the cable engine starts it");
  return {
    // The engine made the thread with exactly this.
    ...(workerData as ThreadOptions),
    nextOrder: () => (receiveMessageOnPort(port) as { message: Order } | undefined)?.message,
    report: (report) => port.postMessage(report),
    close: () => port.close(),
  };
}
