import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  faultOf,
  nextQuality,
  type Quality,
  type QualitySample,
} from "../../../../../../hub/kinds/link/observed/quality.js";
import { LinkCause } from "../../../../../../proto/gen/zor/v1/link.js";

const still = { sent: 0n, received: 0n, impaired: false };
const good = { lossRatio: 0, rttP99Ms: 1, aToB: still, bToA: still, detour: false };
type Figures = Omit<QualitySample, "atMs">;

/** Samples once a second; gives the cause after each. */
function follow(figures: readonly Partial<Figures>[]): LinkCause[] {
  let quality: Quality | undefined;
  return figures.map((each, index) => {
    quality = nextQuality(quality, { ...good, ...each, atMs: index * 1000 });
    return faultOf(quality, { a: "hosts/a", b: "hosts/b" })?.cause ?? LinkCause.LINK_CAUSE_UNSPECIFIED;
  });
}

const seconds = <T>(count: number, each: (second: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => each(at));
const changesOf = (causes: readonly LinkCause[]): number =>
  causes.filter((cause, index) => index > 0 && cause !== causes[index - 1]).length;
const reasonOf = (samples: readonly Partial<Figures>[]): string => {
  let quality: Quality | undefined;
  for (const [index, each] of samples.entries())
    quality = nextQuality(quality, { ...good, ...each, atMs: index * 1000 });
  return quality === undefined ? "" : (faultOf(quality, { a: "hosts/a", b: "hosts/b" })?.reason ?? "");
};

describe("the quality of a link", () => {
  test("is good while nothing is wrong", () => {
    expect(new Set(follow(seconds(600, () => ({}))))).toEqual(new Set([0]));
  });

  test.each<[string, Partial<Figures>[], LinkCause]>([
    ["5 % of the probes are lost for a while", seconds(60, () => ({ lossRatio: 0.05 })), LinkCause.LINK_CAUSE_LOSS],
    ["1 % is lost", seconds(600, () => ({ lossRatio: 0.01 })), 0],
    ["one probe of twenty was lost once", seconds(600, (at) => ({ lossRatio: at === 100 ? 0.05 : 0 })), 0],
    ["the round trip jumps", seconds(160, (at) => ({ rttP99Ms: at < 100 ? 1 : 120 })), LinkCause.LINK_CAUSE_LATENCY],
    ["the round trip always was long", seconds(600, () => ({ rttP99Ms: 300 })), 0],
    ["the round trip peaks under load, within bounds", seconds(600, (at) => ({ rttP99Ms: at % 60 < 30 ? 1 : 20 })), 0],
    ["the round trip jumps before one knows what is usual", seconds(20, (at) => ({ rttP99Ms: at < 5 ? 1 : 200 })), 0],
    ["it is relayed for long", seconds(20, () => ({ detour: true })), LinkCause.LINK_CAUSE_RELAYED],
    ["it is relayed for a moment", seconds(20, (at) => ({ detour: at < 12 })), 0],
    [
      "frames of one direction do not arrive",
      seconds(20, (at) => ({ aToB: { ...still, sent: BigInt(10 * at) } })),
      LinkCause.LINK_CAUSE_ONE_WAY,
    ],
    [
      "frames arrive late, but do",
      seconds(60, (at) => ({ aToB: { ...still, sent: BigInt(10 * at), received: BigInt(at) } })),
      0,
    ],
    [
      "frames are lost on purpose",
      seconds(60, (at) => ({ aToB: { sent: BigInt(10 * at), received: 0n, impaired: true } })),
      0,
    ],
    [
      "a burst is sent, and counted at the other end a second later",
      seconds(60, (at) => ({ bToA: { ...still, sent: at < 30 ? 0n : 500n, received: at < 31 ? 0n : 500n } })),
      0,
    ],
    ["a few frames went nowhere once", seconds(60, (at) => ({ bToA: { ...still, sent: at < 30 ? 0n : 3n } })), 0],
  ])("when %s, ends as it should", (_what, figures, cause) => {
    expect(follow(figures).at(-1)).toBe(cause);
  });

  test("says which direction does not work, and how much is lost", () => {
    const stuck = (key: "aToB" | "bToA") => seconds(20, (at) => ({ [key]: { ...still, sent: BigInt(10 * at) } }));
    expect(reasonOf(stuck("aToB"))).toBe("frames that hosts/a sends do not arrive at hosts/b");
    expect(reasonOf(stuck("bToA"))).toBe("frames that hosts/b sends do not arrive at hosts/a");
    expect(reasonOf(seconds(300, () => ({ lossRatio: 0.05 })))).toBe("5.0 % of the probes are lost or late");
    expect(reasonOf(seconds(160, (at) => ({ rttP99Ms: at < 100 ? 1 : 120 })))).toMatch(
      /^the round trip \(p99\) is 1\d\d ms; usually it is/,
    );
  });

  test("is good again when the cause has gone, and not before it was bad for half a minute", () => {
    const causes = follow(seconds(300, (at) => ({ lossRatio: at < 20 ? 0.1 : 0 })));
    const began = causes.indexOf(LinkCause.LINK_CAUSE_LOSS);
    const ended = causes.lastIndexOf(LinkCause.LINK_CAUSE_LOSS);
    expect(began).toBeGreaterThan(0);
    expect(ended - began).toBeGreaterThanOrEqual(29);
    expect(causes.at(-1)).toBe(0);
  });

  test("a restarted counter is no sign of frames that do not arrive", () => {
    const figures = seconds(60, (at) => ({
      aToB: { ...still, sent: BigInt(at < 30 ? 1000 + at : at), received: at < 30 ? BigInt(at) : 0n },
    }));
    expect(follow(figures.slice(0, 33)).at(-1)).toBe(0);
  });

  test("does not flap, however the loss of single windows varies around a mean of 5 %", () => {
    const losses = fc.array(fc.constantFrom(0, 0, 0, 0.05, 0.05, 0.1, 0.15), { minLength: 600, maxLength: 600 });
    fc.assert(
      fc.property(losses, (values) => {
        const causes = follow(values.map((lossRatio) => ({ lossRatio, rttP99Ms: 300 + 2000 * lossRatio })));
        expect(changesOf(causes)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 30 },
    );
  });

  test("never changes more often than every half minute for losses and latency, whatever is measured", () => {
    const figures = fc.record({
      lossRatio: fc.double({ min: 0, max: 1, noNaN: true }),
      rttP99Ms: fc.integer({ min: 0, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.array(figures, { minLength: 200, maxLength: 200 }), (samples) => {
        const isBad = follow(samples).map((cause) => (cause === 0 ? 0 : 1));
        const ends = isBad.flatMap((bad, at) => (at > 0 && bad === 0 && isBad[at - 1] === 1 ? [at] : []));
        const begins = isBad.flatMap((bad, at) => (bad === 1 && (at === 0 || isBad[at - 1] === 0) ? [at] : []));
        for (const [index, end] of ends.entries()) expect(end - (begins[index] ?? end)).toBeGreaterThanOrEqual(30);
      }),
      { numRuns: 50 },
    );
  });
});
