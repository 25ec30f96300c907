// What in-line boxes do, configured against measured: npm run bench -- a2b [--json] [--only delay,loss,rate,load,depth]. Needs root, ping and iperf3.
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { burstBytesOf, type ImpairmentSettings, noImpairment } from "../../agent/engine/impair/settings.js";
import { eventually } from "../helpers/eventually.js";
import { BoxRig } from "../integration/a2b/box-rig.js";
import { binomialBound, formatRows, isGood, median, type Row } from "./a2b/rows.js";
import { countLost, engineMib, measureFloodRate, measureTcpRate, startFlood } from "./a2b/traffic.js";

const parts = ["delay", "loss", "rate", "load", "depth"] as const;
const { values } = parseArgs({ options: { json: { type: "boolean" }, only: { type: "string" } } });
const chosen = values.only?.split(",") ?? [...parts];
const unknown = chosen.filter((name) => !parts.some((part) => part === name));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(", ")}; there are ${parts.join(", ")}`);
  process.exit(2);
}

/** Fixed: one run in a hundred leaves its 99 % interval, and that should not be this one by chance of the day. */
const seed = 2n;
const rows: Row[] = [];
const facts: Record<string, number> = {};
let rig: BoxRig;

function tell(row: Row): void {
  rows.push(row);
  if (values.json !== true) process.stderr.write(`${formatRows([row]).split("\n")[1]}\n`);
}

/** Sets what happens from a to b; nothing ever happens on the way back. */
async function set(aToB: Partial<ImpairmentSettings>): Promise<void> {
  await rig.set({ aToB, seed });
}

/** @param restMs what a round trip takes without the delay. */
async function measureDelay(delayMs: number, what: string, restMs: number): Promise<void> {
  await set({ delayMs });
  const count = delayMs >= 100 ? 60 : 200;
  const trips = await rig.ping({ count, intervalMs: 20 });
  const bound = Math.max(1, delayMs * 0.02);
  const note = `median of ${trips.length} round trips less the ${restMs.toFixed(2)} ms they take without delay`;
  tell({ what, configured: delayMs, measured: median(trips) - restMs, bound, unit: "ms", note });
}

async function measureLoss(lossRatio: number, count: number, lossBurstFrames = 0): Promise<void> {
  await set({ lossRatio, lossBurstFrames });
  const { sent, lost } = await countLost(rig, count);
  const bound = binomialBound(sent, lossRatio);
  const note = `of ${sent} pings; allowed is the binomial 99 % interval`;
  tell({ what: `loss ${lossRatio * 100} %`, configured: sent * lossRatio, measured: lost, bound, unit: "lost", note });
}

async function measureFlooded(rateBps: number, frameBytes: number, seconds: number): Promise<void> {
  await set({ rateBps });
  const framesPerSecond = Math.ceil((rateBps / 8 / frameBytes) * 2);
  const burstMs = (burstBytesOf({ ...noImpairment, rateBps }) / (rateBps / 8)) * 1_000;
  const measured = await measureFloodRate(rig, { frameBytes, framesPerSecond, warmUpMs: 1_000 + 2 * burstMs, seconds });
  const note = `UDP frames of ${frameBytes} bytes at twice the rate, counted by the receiving kernel`;
  tell({ what: "rate", configured: rateBps, measured, bound: rateBps * 0.03, unit: "bit/s", note });
}

async function measureTcp(rateBps: number): Promise<void> {
  await set({ rateBps });
  const measured = await measureTcpRate(rig, { seconds: 6, streams: 8 });
  const carriedBps = facts["tcpBps"] ?? 0;
  const judged = carriedBps >= 2 * rateBps;
  const carried = `${(carriedBps / 1e9).toFixed(1)} Gbit/s`;
  const excuse = judged ? "" : `; not judged: more than half of the ${carried} that the box carries here and now`;
  const note = `eight TCP streams, data and headers, as the receiver got them${excuse}`;
  const bound = judged ? rateBps * 0.03 : Number.POSITIVE_INFINITY;
  tell({ what: "rate", configured: rateBps, measured, bound, unit: "bit/s", note });
}

/** What the engine carries of small single frames, and how well it delays and loses at half of that. */
async function measureLoaded(): Promise<void> {
  await set({ lossRatio: 1e-9 });
  const stop = await startFlood(rig, { frameBytes: 100, framesPerSecond: 1e9 });
  const [before, beganMs] = [await outFrames(), performance.now()];
  // What is measured is a rate: the time over which frames are counted.
  await delay(4_000);
  const framesPerSecond = ((await outFrames()) - before) / ((performance.now() - beganMs) / 1_000);
  await stop();
  facts["framesPerSecond"] = Math.round(framesPerSecond);
  const load = await startFlood(rig, { frameBytes: 100, framesPerSecond: framesPerSecond / 2 });
  await set({});
  await measureDelay(20, "delay at half load", median(await rig.ping({ count: 200, intervalMs: 20 })));
  await load();
}

/** Frames that left the box, as told once a second. */
async function outFrames(): Promise<number> {
  const { outFrames: before } = rig.view().sides[0].counters;
  return eventually(() => {
    const { outFrames: now } = rig.view().sides[0].counters;
    if (now === before) throw new Error("nothing leaves the box");
    return now;
  });
}

/** Lets more frames wait than a delay-only queue of 65,535 can hold. */
async function measureDepth(): Promise<void> {
  const delayMs = 10_000;
  await set({ delayMs, queueBytes: 2 ** 30 });
  const stop = await startFlood(rig, { frameBytes: 64, framesPerSecond: 1e9 });
  const beganMs = performance.now();
  let most = 0;
  let left = Number.NaN;
  // When the first frames leave, as many wait as ever will. What left before the order came is told for a while yet.
  await eventually(() => {
    const { queuedFrames, outFrames: now } = rig.view().sides[0].counters;
    most = Math.max(most, queuedFrames);
    if (performance.now() - beganMs < delayMs / 2) left = now;
    if (Number.isNaN(left) || now === left) throw new Error("the first frames still wait");
  });
  await stop();
  facts["queuedFrames"] = most;
  facts["queuedEngineMib"] = Math.round(await engineMib(rig));
  await eventually(() => {
    if (rig.view().sides[0].counters.queuedFrames > 0) throw new Error("frames still wait");
  });
  const { inFrames, outFrames: out, lostFrames, droppedQueueFrames } = rig.view().sides[0].counters;
  facts["missingFrames"] = inFrames - out - lostFrames - droppedQueueFrames;
  facts["droppedQueueFrames"] = droppedQueueFrames;
}

async function main(): Promise<void> {
  rig = await BoxRig.make();
  try {
    await rig.fixNeighbours();
    const restMs = median(await rig.ping({ count: 300, intervalMs: 10 }));
    facts["rttMs"] = restMs;
    facts["tcpBps"] = Math.round(await measureTcpRate(rig, { seconds: 4, streams: 1 }));
    if (chosen.includes("delay")) for (const ms of [1, 5, 20, 100, 500]) await measureDelay(ms, "delay", restMs);
    if (chosen.includes("loss")) {
      for (const [ratio, count] of [
        [0.001, 20_000],
        [0.01, 10_000],
        [0.1, 5_000],
        [0.5, 4_000],
      ] as const) {
        await measureLoss(ratio, count);
      }
    }
    if (chosen.includes("rate")) {
      await measureFlooded(64_000, 242, 12);
      await measureFlooded(1_000_000, 500, 6);
      await measureFlooded(100_000_000, 1_442, 5);
      await measureTcp(1_000_000_000);
      await measureTcp(5_000_000_000);
    }
    if (chosen.includes("depth")) await measureDepth();
    if (chosen.includes("load")) await measureLoaded();
  } finally {
    await rig[Symbol.asyncDispose]();
  }
}

await main();
if (values.json === true) {
  const good = rows.every(isGood);
  console.log(JSON.stringify({ good, facts, rows: rows.map((row) => ({ ...row, good: isGood(row) })) }, undefined, 2));
} else {
  console.log(`\n${formatRows(rows)}\n`);
  for (const [name, value] of Object.entries(facts)) console.log(`${name}: ${value}`);
}
process.exit(rows.every(isGood) ? 0 : 1);
