import { describe, expect, test } from "vitest";
import {
  burstBytesOf,
  needsSingleFrames,
  noImpairment,
  queueBytesOf,
} from "../../../../../agent/engine/impair/settings.js";
import { PipelineRig } from "./pipeline-rig.js";

/** Feeds `frames` frames a millisecond for so long. */
function load(
  rig: PipelineRig,
  options: { readonly ms: number; readonly frames: number; readonly bytes: number },
): void {
  for (let ms = 0; ms < options.ms; ms += 1) {
    for (let index = 0; index < options.frames; index += 1) rig.feed(options.bytes);
    rig.advance(1);
  }
}

describe("rate", () => {
  test.each([
    [64_000, 60_000, 0.05, 500],
    [1_000_000, 10_000, 1, 500],
    [100_000_000, 2_000, 20, 1_500],
    [5_000_000_000, 400, 500, 1_500],
  ])("%d bit/s pass, whatever comes in", (rateBps, ms, framesPerMs, bytes) => {
    const rig = new PipelineRig({ rateBps });
    rig.keep = false;
    const every = Math.max(1, 1 / framesPerMs);
    for (let at = 0; at < ms; at += every) {
      for (let index = 0; index < Math.max(1, framesPerMs); index += 1) rig.feed(bytes);
      rig.advance(every);
    }
    const measured = (rig.count("outBytes") * 8_000) / ms;
    const burst = burstBytesOf({ ...noImpairment, rateBps }) * 8_000;
    expect(measured).toBeGreaterThan(rateBps * 0.99);
    expect(measured).toBeLessThan(rateBps * 1.001 + burst / ms);
  });

  test("a late look costs no rate", () => {
    const rig = new PipelineRig({ rateBps: 8_000_000, burstBytes: 1_500, queueBytes: 10_000_000 });
    for (let index = 0; index < 4_000; index += 1) rig.feed(1_500);
    // The clock jumps by 700 ms at a time, in which 700,000 bytes may pass.
    for (let looks = 0; looks < 4; looks += 1) {
      rig.nowMs += 700;
      rig.run();
    }
    expect(rig.count("outBytes")).toBeGreaterThan(2_800_000 - 1_500);
    expect(rig.count("outBytes")).toBeLessThan(2_800_000 + 3_001);
  });

  test("a burst passes at once when the rate was not used, and the rest at the rate", () => {
    const rig = new PipelineRig({ rateBps: 8_000, burstBytes: 1_000 });
    for (let index = 0; index < 20; index += 1) rig.feed(100);
    expect(rig.sent).toHaveLength(10);
    rig.advance(1_000);
    expect(rig.sent).toHaveLength(20);
    expect(rig.sent.slice(10).map(({ atMs }) => Math.round(atMs))).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((index) => index * 100),
    );
  });

  test("a frame larger than the burst passes all the same", () => {
    const rig = new PipelineRig({ rateBps: 8_000, burstBytes: 100, queueBytes: 100 });
    rig.feed(9_000);
    rig.advance(10_000);
    expect(rig.count("outFrames")).toBe(1);
  });

  test("the delay comes after the rate limit", () => {
    const rig = new PipelineRig({ rateBps: 8_000, burstBytes: 100, delayMs: 250 });
    for (let index = 0; index < 3; index += 1) rig.feed(100);
    rig.advance(1_000);
    expect(rig.sent.map(({ atMs }) => Math.round(atMs))).toEqual([250, 350, 450]);
  });

  test("a new rate holds for frames that wait already", () => {
    const rig = new PipelineRig({ rateBps: 8_000, burstBytes: 100, queueBytes: 100_000 });
    for (let index = 0; index < 101; index += 1) rig.feed(100);
    rig.advance(100);
    expect(rig.sent).toHaveLength(2);
    rig.set({ rateBps: 8_000_000, burstBytes: 100 });
    rig.advance(10);
    expect(rig.sent).toHaveLength(101);
  });

  test("no rate any more lets out all that waits", () => {
    const rig = new PipelineRig({ rateBps: 8_000, burstBytes: 100 });
    for (let index = 0; index < 50; index += 1) rig.feed(100);
    rig.set({});
    expect(rig.sent).toHaveLength(50);
  });

  test("frames that overtake are paid for by the rate", () => {
    const rig = new PipelineRig({ rateBps: 800_000, reorderRatio: 0.3 }, 3n);
    rig.keep = false;
    load(rig, { ms: 10_000, frames: 1, bytes: 200 });
    expect(rig.count("reorderedFrames")).toBeGreaterThan(0);
    expect(rig.count("outBytes")).toBeLessThan(1_000_000 * 1.03);
  });
});

describe("queue", () => {
  test("what does not fit is dropped at the tail and counted", () => {
    const rig = new PipelineRig({ rateBps: 8_000, burstBytes: 100, queueBytes: 1_000 });
    for (let index = 0; index < 30; index += 1) rig.feed(100);
    expect(rig.count("droppedQueueFrames")).toBe(19);
    rig.advance(10_000);
    expect(rig.numbers()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("without a rate the queue bounds what is being delayed", () => {
    const rig = new PipelineRig({ delayMs: 100, queueBytes: 1_000 });
    for (let index = 0; index < 30; index += 1) rig.feed(100);
    expect([rig.count("droppedQueueFrames"), rig.count("queuedBytes")]).toEqual([20, 1_000]);
  });

  test("with a rate, what is on its way takes no room from what waits for the rate", () => {
    const rig = new PipelineRig({ rateBps: 800_000, burstBytes: 200, delayMs: 5_000, queueBytes: 500 });
    for (let ms = 0; ms < 4_000; ms += 1) {
      rig.feed(100);
      rig.advance(1);
    }
    expect(rig.count("droppedQueueFrames")).toBe(0);
    expect(rig.count("queuedFrames")).toBe(4_000);
  });

  test("its default size is what the rate passes in 200 ms, and 64 MiB without a rate", () => {
    expect(queueBytesOf({ ...noImpairment, rateBps: 100_000_000 })).toBe(2_500_000);
    expect(queueBytesOf({ ...noImpairment, rateBps: 64_000 })).toBe(65_536);
    expect(queueBytesOf({ ...noImpairment, delayMs: 1 })).toBe(67_108_864);
    expect(queueBytesOf({ ...noImpairment, rateBps: 1, queueBytes: 7 })).toBe(7);
  });

  test("a direction that is down drops everything, what waits as well, and counts it", () => {
    const rig = new PipelineRig({ delayMs: 100 });
    for (let index = 0; index < 5; index += 1) rig.feed();
    rig.set({ down: true });
    for (let index = 0; index < 5; index += 1) rig.feed();
    rig.advance(1_000);
    expect([rig.count("droppedDownFrames"), rig.count("outFrames"), rig.count("queuedFrames")]).toEqual([10, 0, 0]);
    rig.set({});
    rig.feed();
    expect(rig.count("outFrames")).toBe(1);
  });
});

test("super-frames are taken whole only where nothing is decided by chance and they pass in no time", () => {
  const single = (settings: object): boolean => needsSingleFrames({ ...noImpairment, ...settings });
  expect(single({})).toBe(false);
  expect(single({ delayMs: 50 })).toBe(false);
  expect(single({ rateBps: 5_000_000_000 })).toBe(false);
  expect(single({ rateBps: 100_000_000 })).toBe(true);
  expect(single({ lossRatio: 0.01 })).toBe(true);
  expect(single({ corruptRatio: 0.01 })).toBe(true);
  expect(single({ delayMs: 50, jitterMs: 1 })).toBe(true);
  expect(single({ delayMs: 50, queueBytes: 100_000 })).toBe(true);
});
