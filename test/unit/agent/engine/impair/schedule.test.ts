import fc from "fast-check";
import { expect, test } from "vitest";
import { noImpairment } from "../../../../../agent/engine/impair/settings.js";
import { inForceAt, type Step, stepsFor } from "../../../../../agent/engine/impair/schedule.js";

const loss = (lossRatio: number) => ({ ...noImpairment, lossRatio });
const step = (options: Partial<Step>): Step => ({
  startMs: 30_000,
  durationMs: 10_000,
  direction: "both",
  impairment: loss(0.2),
  ...options,
});

test.each([
  ["before it starts", 0, 0, 30_000],
  ["when it starts", 30_000, 0.2, 40_000],
  ["just before it ends", 39_999, 0.2, 40_000],
  ["when it ends", 40_000, 0, Number.POSITIVE_INFINITY],
])("a step that comes once, %s", (_when, elapsedMs, lossRatio, untilMs) => {
  const { settings, untilMs: until } = inForceAt(noImpairment, [step({})], elapsedMs);
  expect([settings.lossRatio, until]).toEqual([lossRatio, untilMs]);
});

test.each([
  [29_999, 0, 30_000],
  [35_000, 0.2, 40_000],
  [45_000, 0, 90_000],
  [90_000, 0.2, 100_000],
  [3_600_000 + 31_000, 0.2, 3_640_000],
])("a step that comes every minute, after %d ms", (elapsedMs, lossRatio, untilMs) => {
  const { settings, untilMs: until } = inForceAt(noImpairment, [step({ repeatMs: 60_000 })], elapsedMs);
  expect([settings.lossRatio, until]).toEqual([lossRatio, untilMs]);
});

test("of steps that overlap the later in the list wins", () => {
  const steps = [step({}), step({ startMs: 35_000, impairment: loss(0.7) })];
  expect(inForceAt(loss(0.1), steps, 36_000)).toEqual({ settings: loss(0.7), untilMs: 40_000 });
  expect(inForceAt(loss(0.1), steps, 44_000)).toEqual({ settings: loss(0.7), untilMs: 45_000 });
  expect(inForceAt(loss(0.1), steps, 50_000)).toEqual({ settings: loss(0.1), untilMs: Number.POSITIVE_INFINITY });
});

test("a step that lasts as long as it takes to come again never ends", () => {
  const { settings, untilMs } = inForceAt(noImpairment, [step({ repeatMs: 10_000 })], 1_000_000);
  expect([settings.lossRatio, untilMs]).toEqual([0.2, Number.POSITIVE_INFINITY]);
});

test("nothing changes before the time that is told, and that time is always to come", () => {
  const steps = fc.array(
    fc.record({
      startMs: fc.integer({ min: 0, max: 1_000 }),
      durationMs: fc.integer({ min: 1, max: 500 }),
      repeatMs: fc.option(fc.integer({ min: 1, max: 700 }), { nil: undefined }),
      direction: fc.constantFrom("both" as const, "aToB" as const, "bToA" as const),
      impairment: fc.integer({ min: 1, max: 9 }).map((tenths) => loss(tenths / 10)),
    }),
    { maxLength: 6 },
  );
  const property = fc.property(steps, fc.integer({ min: 0, max: 5_000 }), (list, elapsedMs) => {
    const { settings, untilMs } = inForceAt(noImpairment, list, elapsedMs);
    expect(untilMs).toBeGreaterThan(elapsedMs);
    for (let at = elapsedMs; at < Math.min(untilMs, elapsedMs + 200); at += 1) {
      expect(inForceAt(noImpairment, list, at).settings).toEqual(settings);
    }
  });
  fc.assert(property, { seed: 5, numRuns: 200 });
});

test("a direction has the steps for it and those for both", () => {
  const steps = [step({}), step({ direction: "aToB" }), step({ direction: "bToA" })];
  expect(stepsFor("aToB", steps)).toEqual([steps[0], steps[1]]);
  expect(stepsFor("bToA", steps)).toEqual([steps[0], steps[2]]);
});
