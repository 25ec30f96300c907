import { CableLoop } from "../frames/cable-loop.js";
import { readTransmitDrops } from "../frames/device-drops.js";
import { setTapQueues } from "../frames/tap-queue.js";
import type { CableOrder, CableReport } from "./cable-orders.js";
import { openThread } from "./thread.js";

// Entry of dist/cable-worker.js.
const thread = openThread<CableOrder, CableReport>();

new CableLoop({
  ...thread,
  readDrops: () => readTransmitDrops(thread.netns),
  setQueues: (framesByTap) => setTapQueues(thread.netns, framesByTap),
}).run();
thread.close();
