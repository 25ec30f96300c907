import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { SpliceEvent, SpliceOrder, SpliceWorkerOptions } from "./protocol.js";
import { SpliceLoop } from "./splice-loop.js";

// Entry of dist/relay-worker.js. The thread never returns to its event loop: it waits in epoll_wait(2) and is woken through an eventfd.
const port = parentPort;
if (port === null) throw new Error("the relay worker is not a program of its own; the hub starts it");
// The hub made the worker with exactly this.
const { wakeFd } = workerData as SpliceWorkerOptions;

new SpliceLoop({
  wakeFd,
  nextOrder: () => (receiveMessageOnPort(port) as { message: SpliceOrder } | undefined)?.message,
  report: (event: SpliceEvent) => port.postMessage(event),
}).run();
port.close();
