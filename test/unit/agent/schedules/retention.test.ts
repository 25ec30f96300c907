import { describe, expect, it } from "vitest";
import { expired, isFullNext, type Taken } from "../../../../agent/schedules/retention.js";

const dayMs = 86_400_000;
/** One a day, the first on day 0. @param bases what each builds on. */
const daily = (...bases: readonly string[]): Taken[] =>
  bases.map((base, day) => ({ id: `d${day}`, timeMs: day * dayMs, base }));
const five = daily("", "", "", "", "");

describe("what a schedule keeps", () => {
  it.each([
    ["the newest of a number", { keep: 2, keepDays: 0 }, ["d2", "d1", "d0"]],
    ["seven unless it says otherwise", { keep: 0, keepDays: 0 }, []],
    ["those of some days", { keep: 0, keepDays: 2 }, ["d1", "d0"]],
    ["what is in both bounds", { keep: 4, keepDays: 1 }, ["d2", "d1", "d0"]],
  ])("is %s", (_, schedule, wanted) => {
    expect(expired(five, schedule, 4 * dayMs)).toEqual(wanted);
  });

  it("is the newest in any case", () => {
    expect(expired(five, { keep: 1, keepDays: 1 }, 400 * dayMs)).toEqual(["d3", "d2", "d1", "d0"]);
    expect(expired([], { keep: 1, keepDays: 1 }, 0)).toEqual([]);
    expect(expired(daily(...Array.from({ length: 9 }, () => "")), { keep: 0, keepDays: 0 }, 0)).toEqual(["d1", "d0"]);
  });

  it("is all that what is kept builds on", () => {
    const chains = daily("", "d0", "d1", "", "d3");
    expect(expired(chains, { keep: 1, keepDays: 0 }, 0)).toEqual(["d2", "d1", "d0"]);
    expect(expired(chains, { keep: 3, keepDays: 0 }, 0)).toEqual([]);
  });

  it("begins with a full one, and anew every so often", () => {
    expect(isFullNext([], { fullEvery: 3 })).toBe(true);
    expect(isFullNext(daily(""), { fullEvery: 3 })).toBe(false);
    expect(isFullNext(daily("", "d0", "d1"), { fullEvery: 3 })).toBe(true);
    expect(isFullNext(daily("", "d0", "d1"), { fullEvery: 0 })).toBe(false);
    // It has become a full one because it could not build on the other.
    expect(isFullNext(daily("", "d0", ""), { fullEvery: 3 })).toBe(false);
  });
});
