import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { CableLoop } from "../frames/cable-loop.js";
import { readTransmitDrops } from "../frames/device-drops.js";
import { setTapQueues } from "../frames/tap-queue.js";
import type { WorkerEvent, WorkerOptions, WorkerOrder } from "./worker-protocol.js";

// Entry of dist/cable-worker.js. The thread never returns to its event loop: it waits in poll(2) and is woken through an eventfd.
const port = parentPort;
if (port === null) throw new Error("the cable worker is not a program of its own; the cable engine starts it");
// The engine made the worker with exactly this.
const options = workerData as WorkerOptions;

new CableLoop({
  wakeFd: options.wakeFd,
  nextOrder: () => (receiveMessageOnPort(port) as { message: WorkerOrder } | undefined)?.message,
  report: (event: WorkerEvent) => port.postMessage(event),
  readDrops: () => readTransmitDrops(options.netns),
  setQueues: (framesByTap) => setTapQueues(options.netns, framesByTap),
}).run();
port.close();
