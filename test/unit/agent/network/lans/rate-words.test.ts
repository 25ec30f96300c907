import { expect, test } from "vitest";
import { rateWords } from "../../../../../agent/network/lans/rate-qdisc.js";

test.each([
  ["a slow one lets two super-frames pass at once, and two wait", 8000n, 0n, [8000, 131_072, 131_072]],
  ["what passes at once and what waits grow with it", 40_000_000n, 0n, [40_000_000, 250_000, 1_000_000]],
  [
    "a fast one has no more wait than the switch can spare",
    10_000_000_000n,
    0n,
    [10_000_000_000, 62_500_000, 2_097_152],
  ],
  ["a burst that is said is taken", 40_000_000n, 131_072n, [40_000_000, 131_072, 1_000_000]],
] as const)("of rates, %s", (_, rateBps, burstBytes, [rate, burst, limit]) => {
  const words = ["tbf", "rate", `${rate}bit`, "burst", `${burst}b`, "limit", `${limit}b`];
  expect(rateWords({ rateBps, burstBytes })).toEqual(words);
});
