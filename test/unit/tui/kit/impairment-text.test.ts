import { describe, expect, it } from "vitest";
import { toDuration } from "../../../../lib/duration.js";
import { Impairment, JitterDistribution } from "../../../../proto/gen/zor/v1/impairment.js";
import { formatBits } from "../../../../tui/kit/format.js";
import { impairmentDetails, impairmentText } from "../../../../tui/kit/impairment-text.js";

type Partial = Parameters<typeof Impairment.fromPartial>[0];

describe("an impairment in short", () => {
  it.each<readonly [string, Partial]>([
    ["-", {}],
    ["DOWN", { down: true, delay: toDuration(50) }],
    ["50ms±5 1% 10Mb/s", { delay: toDuration(50), jitter: toDuration(5), lossRatio: 0.01, rateBps: 10_000_000n }],
    ["0.5ms", { delay: toDuration(0.5) }],
    ["±3ms", { jitter: toDuration(3) }],
    ["0.5%x4", { lossRatio: 0.005, lossBurstFrames: 4 }],
    ["dup 2% reorder 10% corrupt 0.1%", { duplicateRatio: 0.02, reorderRatio: 0.1, corruptRatio: 0.001 }],
    ["1/10 drop tcp port 80", { dropEvery: 10, dropFilter: "tcp port 80" }],
    ["64kb/s", { rateBps: 64_000n }],
  ])("is %j", (short, impairment) => {
    expect(impairmentText(Impairment.fromPartial(impairment))).toBe(short);
  });

  it("is nothing where none is specified", () => {
    expect(impairmentText(undefined)).toBe("-");
    expect(impairmentDetails(undefined)).toBe("frames pass untouched");
  });

  it("tells its jitter, burst and queue in the details", () => {
    const impairment = Impairment.fromPartial({
      delay: toDuration(50),
      jitter: toDuration(5),
      jitterDistribution: JitterDistribution.JITTER_DISTRIBUTION_PARETO,
      rateBps: 2_500_000_000n,
      burstBytes: 9000n,
      queueBytes: 65_536n,
    });
    expect(impairmentDetails(impairment)).toBe("50ms±5 2.5Gb/s, pareto jitter, burst 9000 bytes, queue 65536 bytes");
  });
});

describe("a rate", () => {
  it.each<readonly [string, bigint]>([
    ["0", 0n],
    ["640b/s", 640n],
    ["64kb/s", 64_000n],
    ["10Gb/s", 10_000_000_000n],
  ])("is %j", (text, bits) => {
    expect(formatBits(bits)).toBe(text);
  });
});
