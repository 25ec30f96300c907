// Measures the terminal program without a terminal: how long feeding, filtering, sorting and drawing take with many rows.
// npm run bench -- frames ROWS (10000) COLUMNS (200) LINES (50). Prints one line per figure, drawing included.

import { InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { Canvas } from "../../tui/app/canvas.js";
import { Painter } from "../../tui/app/painter.js";
import { makeProgram } from "../unit/tui/program.js";
import { instanceOn, largeLab } from "../fakes/topology.js";
import { feedFleet, reset, snapshotEnd, upsert, upsertInstance } from "../unit/tui/steps.js";

const rows = Number(process.argv[2] ?? "10000");
const columns = Number(process.argv[3] ?? "200");
const lines = Number(process.argv[4] ?? "50");
const hosts = Math.max(2, Math.round(rows / 50));

let bytes = 0;
let frames = 0;

/** Times the work and the drawing of what it changed. */
async function timed(title: string, turns: number, work: (turn: number) => void): Promise<void> {
  const times: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const began = performance.now();
    work(turn);
    painter?.paint();
    times.push(performance.now() - began);
  }
  times.sort((left, right) => left - right);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))]?.toFixed(2);
  console.log(`${title}: median ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

let painter: Painter | undefined;
const { model, controller, press, clock } = makeProgram();
await timed(`feed ${rows} instances on ${hosts} hosts`, 1, () =>
  feedFleet(model, { hosts, instancesPerHost: Math.round(rows / hosts), nowMs: model.nowMs }),
);
press("2");
const size = { columns, rows: lines };
const write = (data: string): boolean => {
  bytes += Buffer.byteLength(data);
  frames += 1;
  return true;
};
const canvas = new Canvas({ write, isFull: false, size }, { depth: "256", ascii: false });
painter = new Painter({ model, controller, look: { unicode: true, colors: true }, canvas, size: () => size });
await timed("first frame", 1, () => model.changed());
await timed("frame, nothing changed but the time", 100, () => {
  clock.nowMs += 1000;
  model.changed();
});
await timed("frame after 1 change", 100, (turn) => {
  const state = turn % 2 === 0 ? InstanceState.INSTANCE_STATE_RUNNING : InstanceState.INSTANCE_STATE_STOPPED;
  model.fleet.apply(upsertInstance("alpha", `vm${turn % 40}`, state), model.nowMs);
  model.changed();
});
await timed("frame after 100 changes", 50, (turn) => {
  for (let index = 0; index < 100; index += 1) {
    model.fleet.apply(upsertInstance("alpha", `vm${(turn + index) % 50}`), model.nowMs);
  }
  model.changed();
});
await timed("cursor down", 100, () => press("down"));
await timed("to the end and back", 20, (turn) => press(turn % 2 === 0 ? "G" : "g"));
await timed("sort by another column", 10, (turn) => press("MSNAHDC"[turn % 7] ?? "N"));
await timed("filter key", 1, () => press("/"));
await timed("filter, one more letter", 7, (turn) => press("running"[turn] ?? "x"));
press("esc");
bytes = 0;
frames = 0;
const idleS = 5;
for (let second = 0; second < idleS; second += 1) {
  clock.nowMs += 1000;
  model.tick();
  painter.paint();
}
console.log(`idle, ticking once a second: ${Math.round(bytes / idleS)} bytes/s, ${frames} frames in ${idleS} ticks`);
model.fleet.apply(reset, model.nowMs);
for (const resource of largeLab(300, 8)) model.fleet.apply(upsert(resource), model.nowMs);
model.fleet.apply(snapshotEnd, model.nowMs);
await timed("map of 300 instances on 8 hosts, opened", 1, () => press("1", "b"));
await timed("map, of what is in hosts", 1, () => press("+"));
await timed("map, to the next thing", 100, () => press("tab"));
await timed("map, by an arrow", 50, (turn) => press(["right", "down", "left", "down", "up"][turn % 5] ?? "down"));
await timed("map, after 1 change", 50, (turn) => {
  const state = turn % 2 === 0 ? InstanceState.INSTANCE_STATE_RUNNING : InstanceState.INSTANCE_STATE_STOPPED;
  model.fleet.apply(
    upsert(instanceOn(`alpha/vm${1 + (turn % 9)}`, [`lan${1 + ((1 + (turn % 9)) % 3)}`], state)),
    model.nowMs,
  );
  model.changed();
});
await timed("map, an instance more", 5, (turn) => {
  model.fleet.apply(upsert(instanceOn(`alpha/more${turn}`, ["lan1"])), model.nowMs);
  model.changed();
});
await timed("map, nothing changed but the time", 50, () => {
  clock.nowMs += 1000;
  model.changed();
});
console.log(`memory: ${Math.round(process.memoryUsage().rss / 1e6)} MB`);
process.exit(0);
