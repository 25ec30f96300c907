import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ImpairmentSettings } from "../../../../../agent/engine/impair/settings.js";
import { PipelineRig } from "./pipeline-rig.js";

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("untouched", () => {
  test("frames pass at once and in order when nothing is set", () => {
    const rig = new PipelineRig();
    for (const _ of range(100)) rig.feed();
    expect(rig.numbers()).toEqual(range(100));
    expect(rig.count("outBytes")).toBe(6_400);
    expect(rig.pipeline.holds).toBe(false);
  });

  test("frames that the port refuses are counted and do not stay", () => {
    const rig = new PipelineRig();
    rig.answer = "refused";
    rig.feed();
    expect([rig.count("droppedPortFrames"), rig.count("outFrames"), rig.pipeline.holds]).toEqual([1, 0, false]);
  });

  test("frames that the port takes later wait for it, in order", () => {
    const rig = new PipelineRig();
    rig.answer = "later";
    for (const _ of range(5)) rig.feed();
    expect(rig.count("queuedFrames")).toBe(5);
    rig.answer = "sent";
    rig.run();
    expect(rig.numbers()).toEqual(range(5));
  });
});

describe("delay", () => {
  test("every frame comes exactly so much later", () => {
    const rig = new PipelineRig({ delayMs: 50 });
    for (const _ of range(20)) {
      rig.feed();
      rig.advance(3.5);
    }
    rig.advance(100);
    expect(rig.sent.map(({ atMs }, index) => atMs - index * 3.5)).toEqual(range(20).map(() => 50));
  });

  test.each(["uniform", "normal", "pareto"] as const)("jitter that is %s keeps the order of frames", (distribution) => {
    const rig = new PipelineRig({ delayMs: 20, jitterMs: 10, jitterDistribution: distribution });
    for (const _ of range(500)) {
      rig.feed();
      rig.advance(1);
    }
    rig.advance(60_000);
    expect(rig.numbers()).toEqual(range(500));
    expect(new Set(rig.sent.map(({ atMs }) => atMs)).size).toBeGreaterThan(10);
  });

  test.each([
    ["uniform", 20, 10 / Math.sqrt(3)],
    ["normal", 20, 10],
    ["pareto", 30, 10 * Math.sqrt(3)],
  ] as const)(
    "the delay of single frames with %s jitter has the mean and spread it should",
    (distribution, mean, deviation) => {
      const rig = new PipelineRig({ delayMs: 20, jitterMs: 10, jitterDistribution: distribution });
      const delays = range(4_000).map((index) => {
        const beganMs = rig.nowMs;
        rig.feed();
        rig.advance(5_000);
        return (rig.sent[index]?.atMs ?? Number.NaN) - beganMs;
      });
      const average = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
      // 3.3 standard deviations of the mean: 99.9 %. A normal delay is never negative, which moves the mean a little.
      expect(Math.abs(average - mean)).toBeLessThan((3.3 * deviation) / Math.sqrt(delays.length) + 0.1);
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(
        distribution === "normal" ? 0 : distribution === "uniform" ? 10 : 20,
      );
    },
  );

  test("a new delay holds for frames that wait already, and none is lost", () => {
    const rig = new PipelineRig({ delayMs: 1_000 });
    for (const _ of range(10)) rig.feed();
    rig.advance(100);
    rig.set({ delayMs: 200 });
    expect(rig.sent).toHaveLength(0);
    rig.advance(100);
    expect(rig.numbers()).toEqual(range(10));
    expect(rig.sent.every(({ atMs }) => atMs === 200)).toBe(true);
  });

  test("a million small frames wait and all come out, in order", () => {
    const rig = new PipelineRig({ delayMs: 10_000 });
    rig.keep = false;
    const count = 1_000_000;
    for (let index = 0; index < count; index += 1) rig.feed(60);
    expect([rig.count("queuedFrames"), rig.count("droppedQueueFrames")]).toEqual([count, 0]);
    rig.advance(10_000);
    expect([rig.count("outFrames"), rig.pipeline.holds]).toEqual([count, false]);
  });
});

describe("chance", () => {
  /** Bounds of a binomial count that are left once in a thousand times. */
  const bounds = (count: number, ratio: number, factor = 1) => {
    const spread = 3.3 * Math.sqrt(count * ratio * (1 - ratio) * factor);
    return [count * ratio - spread, count * ratio + spread] as const;
  };
  const frames = 50_000;

  test.each([0.001, 0.01, 0.1, 0.5, 0.9])("the part %d of the frames is lost", (lossRatio) => {
    const rig = new PipelineRig({ lossRatio });
    for (let index = 0; index < frames; index += 1) rig.feed();
    const [low, high] = bounds(frames, lossRatio);
    expect(rig.count("lostFrames")).toBeGreaterThan(low);
    expect(rig.count("lostFrames")).toBeLessThan(high);
    expect(rig.count("outFrames")).toBe(frames - rig.count("lostFrames"));
  });

  test.each([
    [0.01, 5],
    [0.1, 20],
    [0.5, 3],
    [0.8, 2],
  ])("the part %d is lost in bursts of %d frames", (lossRatio, lossBurstFrames) => {
    const rig = new PipelineRig({ lossRatio, lossBurstFrames }, 7n);
    for (let index = 0; index < 4 * frames; index += 1) rig.feed();
    // Losses of a burst come together, which makes the count vary more.
    const burst = Math.max(lossBurstFrames, lossRatio / (1 - lossRatio));
    const [low, high] = bounds(4 * frames, lossRatio, 2 * burst);
    const lost = rig.count("lostFrames");
    expect(lost).toBeGreaterThan(low);
    expect(lost).toBeLessThan(high);
    const numbers = rig.numbers();
    const bursts = numbers.filter((number, index) => index > 0 && number - (numbers[index - 1] ?? 0) > 1).length;
    expect(lost / bursts / burst).toBeGreaterThan(0.8);
    expect(lost / bursts / burst).toBeLessThan(1.25);
  });

  test("everything is lost with a ratio of 1 and nothing with 0", () => {
    for (const [lossRatio, out] of [
      [1, 0],
      [0, 1_000],
    ] as const) {
      const rig = new PipelineRig({ lossRatio, lossBurstFrames: 5, duplicateRatio: 0 });
      for (const _ of range(1_000)) rig.feed();
      expect(rig.count("outFrames")).toBe(out);
    }
  });

  test("a part of the frames comes twice, next to each other", () => {
    const rig = new PipelineRig({ duplicateRatio: 0.2, delayMs: 5 });
    for (const _ of range(10_000)) rig.feed();
    rig.advance(10);
    const [low, high] = bounds(10_000, 0.2);
    expect(rig.count("duplicatedFrames")).toBeGreaterThan(low);
    expect(rig.count("duplicatedFrames")).toBeLessThan(high);
    expect(rig.count("outFrames")).toBe(10_000 + rig.count("duplicatedFrames"));
    expect(rig.numbers()).toEqual(rig.numbers().toSorted((a, b) => a - b));
    expect(rig.sent.every(({ bytes }) => bytes.length === 64 && bytes[10] === 0x55)).toBe(true);
  });

  test("a part of the frames overtakes those that are delayed", () => {
    const rig = new PipelineRig({ reorderRatio: 0.1, delayMs: 50 });
    for (const _ of range(10_000)) {
      rig.feed();
      rig.advance(1);
    }
    rig.advance(100);
    const [low, high] = bounds(10_000, 0.1);
    expect(rig.count("reorderedFrames")).toBeGreaterThan(low);
    expect(rig.count("reorderedFrames")).toBeLessThan(high);
    expect(rig.numbers()).not.toEqual(range(10_000));
    expect(rig.numbers().toSorted((a, b) => a - b)).toEqual(range(10_000));
  });

  test("in a part of the frames exactly one bit is another", () => {
    const rig = new PipelineRig({ corruptRatio: 0.3 });
    for (const _ of range(5_000)) rig.feed(64);
    const clean = (number: number): Buffer => {
      const bytes = Buffer.alloc(64, 0x55);
      bytes.writeUInt32BE(number);
      return bytes;
    };
    const flipped = rig.sent.map(({ bytes }, index) => bitsThatDiffer(bytes, clean(index)));
    expect(flipped.filter((bits) => bits > 1)).toEqual([]);
    expect(flipped.filter((bits) => bits === 1)).toHaveLength(rig.count("corruptedFrames"));
    const [low, high] = bounds(5_000, 0.3);
    expect(rig.count("corruptedFrames")).toBeGreaterThan(low);
    expect(rig.count("corruptedFrames")).toBeLessThan(high);
  });

  test("the same seed and frames give the same result, however they are spread over time", () => {
    const settings: fc.Arbitrary<Partial<ImpairmentSettings>> = fc.record({
      lossRatio: fc.double({ min: 0, max: 0.9, noNaN: true }),
      lossBurstFrames: fc.integer({ min: 0, max: 20 }),
      duplicateRatio: fc.double({ min: 0, max: 1, noNaN: true }),
      corruptRatio: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const gaps = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 200, maxLength: 200 });
    const property = fc.property(
      settings,
      gaps,
      gaps,
      fc.bigInt({ min: 1n, max: 2n ** 63n }),
      (wanted, one, other, seed) => {
        const [first, second] = [one, other].map((waits) => {
          const rig = new PipelineRig({ ...wanted, delayMs: 30, jitterMs: 20 }, seed);
          for (const wait of waits) {
            rig.feed();
            rig.advance(wait);
          }
          rig.advance(10_000);
          return rig.sent.map(({ bytes }) => bytes.toString("hex"));
        });
        expect(first).toEqual(second);
      },
    );
    fc.assert(property, { numRuns: 30, seed: 42 });
  });

  test("the same seed gives the same result whatever was set before", () => {
    const outcome = (before: Partial<ImpairmentSettings>): number[] => {
      const rig = new PipelineRig(before);
      for (const _ of range(5)) rig.feed();
      rig.sent.length = 0;
      rig.pipeline.reseed(9n, 0);
      rig.set({ lossRatio: 0.5, lossBurstFrames: 3 });
      for (const _ of range(100)) rig.feed();
      return rig.numbers();
    };
    expect(outcome({ lossRatio: 0.5, lossBurstFrames: 3 })).toEqual(outcome({}));
    expect(outcome({ corruptRatio: 1 })).toEqual(outcome({}));
  });

  test("another seed gives another result, and so does the other direction", () => {
    const outcome = (seed: bigint, direction: number): string => {
      const rig = new PipelineRig();
      rig.pipeline.reseed(seed, direction);
      rig.set({ lossRatio: 0.5 });
      for (const _ of range(64)) rig.feed();
      return rig.numbers().join();
    };
    expect(new Set([outcome(1n, 0), outcome(2n, 0), outcome(1n, 1), outcome(-1n, 0)]).size).toBe(4);
  });
});

function bitsThatDiffer(one: Buffer, other: Buffer): number {
  return [...one].reduce((sum, byte, index) => {
    const bits = (byte ^ (other[index] ?? 0)).toString(2).replaceAll("0", "");
    return sum + bits.length;
  }, 0);
}
