import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration, toDuration, toMs, toOptionalDuration } from "../../../lib/duration.js";
import { Duration } from "../../../proto/gen/google/protobuf/duration.js";

describe("milliseconds as a duration", () => {
  it.each([
    [0, 0n, 0],
    [0.5, 0n, 500_000],
    [1_500, 1n, 500_000_000],
    [999.999_999_9, 1n, 0],
    [1_999.999_999_9, 2n, 0],
    [-999.999_999_9, -1n, 0],
    [-1_500, -1n, -500_000_000],
    [1e-9, 0n, 0],
    [-1e-9, 0n, 0],
  ])("%d", (ms, seconds, nanos) => {
    expect(toDuration(ms)).toEqual({ seconds, nanos });
  });

  it("never has a second's worth of nanoseconds, keeps its sign, and is what it was within a nanosecond", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (ms) => {
        const { seconds, nanos } = toDuration(ms);
        expect(Number.isInteger(nanos)).toBe(true);
        expect(Math.abs(nanos)).toBeLessThan(1e9);
        expect(Number(seconds) * nanos).toBeGreaterThanOrEqual(0);
        expect(Math.abs(toMs({ seconds, nanos }) - ms)).toBeLessThan(Math.max(2e-6, Math.abs(ms) * 1e-15));
      }),
    );
  });

  it("passes through its encoding unchanged", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (ms) => {
        const duration = toDuration(ms);
        expect(Duration.decode(Duration.encode(duration).finish())).toEqual(duration);
      }),
    );
  });

  it("refuses what is no time", () => {
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => toDuration(ms)).toThrow(RangeError);
  });

  it("is unset for 0 where that says the same", () => {
    expect(toOptionalDuration(0)).toBeUndefined();
    expect(toOptionalDuration(1)).toEqual({ seconds: 0n, nanos: 1_000_000 });
    expect(toMs(undefined)).toBe(0);
  });
});

describe("a duration as people write it", () => {
  it.each([
    ["0", 0],
    ["0s", 0],
    ["200us", 0.2],
    ["50ms", 50],
    ["1.5s", 1_500],
    ["15m", 900_000],
    ["2h", 7_200_000],
  ])("%s", (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  it.each(["", "5", "-5s", "5 s", "1e3s", "s", "1..5s", "1d", " 5s"])("is not %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
