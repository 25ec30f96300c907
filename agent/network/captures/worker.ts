import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { CaptureLoop } from "./capture-loop.js";
import type { CaptureOrder, CaptureReport, CaptureThreadOptions } from "./protocol.js";

// Entry of dist/capture-worker.js.
const port = parentPort;
if (port === null) throw new Error("this is not a program of its own; the agent starts it");
new CaptureLoop({
  // The agent made the thread with exactly this.
  ...(workerData as CaptureThreadOptions),
  nextOrder: () => (receiveMessageOnPort(port) as { message: CaptureOrder } | undefined)?.message,
  report: (report: CaptureReport) =>
    // What the blocks lie in moves instead of being copied.
    port.postMessage(report, report.type === "packets" ? [report.blocks.buffer as ArrayBuffer] : []),
}).run();
port.close();
