import { BoxLoop } from "../boxes/box-loop.js";
import { readTransmitDrops } from "../frames/device-drops.js";
import { setTimerSlack } from "../native.js";
import type { BoxOrder, BoxReport } from "./box-orders.js";
import { openThread } from "./thread.js";

// Entry of dist/box-worker.js.
const thread = openThread<BoxOrder, BoxReport>();

// A delay is what is asked for, not what wakes the processor least.
setTimerSlack(1_000);
new BoxLoop({ ...thread, readDrops: () => readTransmitDrops(thread.netns) }).run();
thread.close();
