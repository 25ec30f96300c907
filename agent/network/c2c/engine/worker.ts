import { closeSync, openSync, readFileSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { CableLoop } from "./cable-loop.js";
import { parseTransmitDrops } from "./device-drops.js";
import { enterNetNamespace } from "./native.js";
import type { WorkerEvent, WorkerOptions, WorkerOrder } from "./worker-protocol.js";

// Entry of dist/cable-worker.js. The thread never returns to its event loop: it waits in poll(2) and is woken through an eventfd.
const port = parentPort;
if (port === null) throw new Error("the cable worker is not a program of its own; the cable engine starts it");
// The engine made the worker with exactly this.
const options = workerData as WorkerOptions;
const netDevices = "/proc/thread-self/net/dev";

new CableLoop({
  wakeFd: options.wakeFd,
  nextOrder: () => (receiveMessageOnPort(port) as { message: WorkerOrder } | undefined)?.message,
  report: (event: WorkerEvent) => port.postMessage(event),
  readDrops,
}).run();
port.close();

/** Visits the switch's namespace, with this thread only. To stay there would keep it alive after its deletion. */
function readDrops(): ReadonlyMap<string, number> {
  if (options.netns === undefined) return parseTransmitDrops(readFileSync(netDevices, "utf8"));
  let there: number;
  try {
    there = openSync(`/run/netns/${options.netns}`, "r");
  } catch {
    // The namespace is gone; so are the taps.
    return new Map();
  }
  const home = openSync("/proc/thread-self/ns/net", "r");
  try {
    enterNetNamespace(there);
    return parseTransmitDrops(readFileSync(netDevices, "utf8"));
  } finally {
    enterNetNamespace(home);
    closeSync(home);
    closeSync(there);
  }
}
