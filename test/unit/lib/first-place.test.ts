import fc from "fast-check";
import { expect, test } from "vitest";
import { firstPlace } from "../../../lib/first-place.js";

const numbers = fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 200 });

test("is where looking at all of them, one after the other, finds the first", () => {
  fc.assert(
    fc.property(numbers, fc.integer({ min: -22, max: 22 }), fc.nat(), fc.nat(), (all, limit, one, other) => {
      const sorted = all.sort((left, right) => left - right);
      const [from, to] = [one % (sorted.length + 1), other % (sorted.length + 1)].sort((left, right) => left - right);
      for (const isReached of [
        (at: number) => (sorted[at] ?? Number.NaN) >= limit,
        (at: number) => (sorted[at] ?? Number.NaN) > limit,
      ]) {
        let expected = from ?? 0;
        while (expected < (to ?? 0) && !isReached(expected)) expected += 1;
        expect(firstPlace(from ?? 0, to ?? 0, isReached)).toBe(expected);
      }
    }),
  );
});

test("asks of places of the range alone, of each once at most, and no more often than halving takes", () => {
  const bounds = fc.tuple(fc.maxSafeInteger(), fc.maxSafeInteger()).map((pair) => pair.sort((a, b) => a - b));
  fc.assert(
    fc.property(bounds, fc.double({ min: 0, max: 1, noNaN: true }), ([from = 0, to = 0], share) => {
      fc.pre(Number.isSafeInteger(to - from));
      const first = from + Math.floor((to - from) * share);
      const asked: number[] = [];
      const found = firstPlace(from, to, (place) => {
        asked.push(place);
        return place >= first;
      });
      expect(found).toBe(first);
      expect(asked.every((place) => Number.isSafeInteger(place) && place >= from && place < to)).toBe(true);
      expect(new Set(asked).size).toBe(asked.length);
      expect(asked.length).toBeLessThanOrEqual(Math.floor(Math.log2(Math.max(1, to - from))) + 1);
    }),
  );
});
