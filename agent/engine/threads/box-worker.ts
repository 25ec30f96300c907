import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { readTransmitDrops } from "../frames/device-drops.js";
import { setTimerSlack } from "../native.js";
import type { WorkerOptions } from "./worker-protocol.js";
import { BoxLoop } from "../boxes/box-loop.js";
import type { BoxOrder, BoxReport } from "./box-orders.js";

// Entry of dist/box-worker.js. The thread never returns to its event loop: it waits in ppoll(2) and is woken through an eventfd.
const port = parentPort;
if (port === null) throw new Error("the box worker is not a program of its own; the cable engine starts it");
// The engine made the worker with exactly this.
const options = workerData as WorkerOptions;

// A delay is what is asked for, not what wakes the processor least.
setTimerSlack(1_000);
new BoxLoop({
  wakeFd: options.wakeFd,
  nextOrder: () => (receiveMessageOnPort(port) as { message: BoxOrder } | undefined)?.message,
  report: (report: BoxReport) => port.postMessage(report),
  readDrops: () => readTransmitDrops(options.netns),
}).run();
port.close();
