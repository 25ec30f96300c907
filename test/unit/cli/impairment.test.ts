import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { applyMask } from "../../../lib/kinds/mask.js";
import { Link } from "../../../proto/gen/zor/v1/link.js";
import { Direction, Impairment, JitterDistribution } from "../../../proto/gen/zor/v1/impairment.js";
import { flagOption } from "../../../tui/cli/command.js";
import { impairmentFlags, readImpairment, readImpairmentChange } from "../../../tui/kit/input/impairment-flags.js";
import { parseSettings } from "../../../tui/kit/input/impairment-settings.js";
import { parseScheduleFile, parseStep } from "../../../tui/kit/input/schedule.js";

function valuesOf(line: readonly string[], live: boolean) {
  const command = new Command().exitOverride();
  for (const flag of impairmentFlags({ live })) command.addOption(flagOption(flag));
  command.parse([...line], { from: "user" });
  return command.opts();
}

/** What the options of a command line say of something new. */
function read(line: readonly string[]) {
  return readImpairment(valuesOf(line, false));
}

/** What the options of a command line make of a link, and the mask that they send. */
async function change(line: readonly string[], spec: Parameters<typeof Link.fromPartial>[0]["spec"]) {
  const { resource, paths } = await readImpairmentChange(valuesOf(line, true));
  const update = {
    kind: "link",
    current: Link.fromPartial({ spec }),
    mask: [...paths, "labels.none"],
    changeable: ["spec", "labels"],
  };
  return { paths, spec: applyMask({ ...update, wanted: Link.fromPartial(resource) }).spec };
}

describe("settings", () => {
  it.each([
    ["delay 50ms", { delay: { seconds: 0n, nanos: 50_000_000 } }],
    ["delay 1.5s", { delay: { seconds: 1n, nanos: 500_000_000 } }],
    ["delay 200us", { delay: { seconds: 0n, nanos: 200_000 } }],
    ["loss 1%", { lossRatio: 0.01 }],
    ["loss 0.1%", { lossRatio: 0.001 }],
    ["loss 0.25", { lossRatio: 0.25 }],
    ["rate 64kbit", { rateBps: 64_000n }],
    ["rate 10mbit/s", { rateBps: 10_000_000n }],
    ["rate 5Gbit", { rateBps: 5_000_000_000n }],
    ["rate 1000", { rateBps: 1_000n }],
    ["queue 64k", { queueBytes: 65_536n }],
    ["burst 2MiB", { burstBytes: 2_097_152n }],
    ["jitter-distribution pareto", { jitterDistribution: JitterDistribution.JITTER_DISTRIBUTION_PARETO }],
    ["down", { down: true }],
    ["drop-every 10", { dropEvery: 10 }],
    ["drop-filter icmp", { dropFilter: "icmp" }],
    ['drop-filter "tcp port 80, 443", loss 1%', { dropFilter: "tcp port 80, 443", lossRatio: 0.01 }],
    ["drop-filter='ip[8] = 1'", { dropFilter: "ip[8] = 1" }],
    ["loss 2%, duplicate=1%", { lossRatio: 0.02, duplicateRatio: 0.01 }],
  ])("%s", (text, expected) => {
    expect(parseSettings("--at", text)).toEqual(expected);
  });

  it.each([
    ["delay 50", /not a time such as 50ms/],
    ["loss 101%", /not a part/],
    ["loss -1", /not a part/],
    ["rate 10MB", /not a rate/],
    ["queue 1.0001k", /not an amount/],
    ["jitter-distribution even", /uniform, normal or pareto/],
    ["speed 10", /not a setting; they are: delay TIME/],
    ["down 1", /not a setting/],
    ["drop-every 2.5", /not a number of frames/],
    ["drop-every 1000001", /at most 1000000/],
    ["drop-filter tcp port 80", /not a setting; they are: .*drop-filter EXPR/],
    ['drop-filter "tcp', /not a setting/],
    ["loss 1%,", /not a setting/],
    ["delay", /not a setting/],
    ["", /not a setting/],
  ])("%j is refused", (text, message) => {
    expect(() => parseSettings("--at", text)).toThrow(message);
  });
});

describe("options", () => {
  it("without a direction hold for both, and those of a direction win", async () => {
    const { aToB, bToA } = await read(["--delay", "50ms", "--loss", "1%", "--ba-loss", "5%", "--ab-rate", "1mbit"]);
    expect(aToB).toMatchObject({ lossRatio: 0.01, rateBps: 1_000_000n, delay: { nanos: 50_000_000 } });
    expect(bToA).toMatchObject({ lossRatio: 0.05, rateBps: 0n, delay: { nanos: 50_000_000 } });
  });

  it("leave what they do not name as it was", async () => {
    const before = { aToB: { lossRatio: 0.3, down: true }, seed: 4n };
    const { spec, paths } = await change(["--delay", "1ms"], before);
    expect(paths).toEqual(["spec.a_to_b.delay", "spec.b_to_a.delay"]);
    expect(spec?.aToB).toMatchObject({ lossRatio: 0.3, down: true, delay: { nanos: 1_000_000 } });
    expect(spec?.bToA).toMatchObject({ lossRatio: 0, delay: { nanos: 1_000_000 } });
    expect(spec?.seed).toBe(4n);
    expect((await change([], before)).paths).toEqual([]);
  });

  it("take a direction up again, and a delay away", async () => {
    const before = { aToB: { down: true, lossRatio: 0.5, delay: { seconds: 1n, nanos: 0 } } };
    const { spec } = await change(["--no-ab-down", "--delay", "0"], before);
    expect(spec?.aToB).toMatchObject({ down: false, lossRatio: 0.5, delay: undefined });
  });

  it("take everything back before they set anything", async () => {
    const before = {
      aToB: { down: true, lossRatio: 0.5 },
      bToA: { lossRatio: 1 },
      seed: 3n,
      schedule: [{ impairment: { down: true } }],
    };
    const { spec, paths } = await change(["--clear", "--ab-loss", "1%"], before);
    expect(paths).toEqual(["spec.a_to_b", "spec.b_to_a", "spec.schedule"]);
    expect(spec).toMatchObject({ aToB: { lossRatio: 0.01, down: false }, bToA: undefined, schedule: [], seed: 3n });
  });

  it("take a schedule back, or replace it", async () => {
    const before = { aToB: { lossRatio: 0.5 }, schedule: [{ impairment: { down: true } }] };
    expect(await change(["--no-schedule"], before)).toMatchObject({ paths: ["spec.schedule"], spec: { schedule: [] } });
    const { spec } = await change(["--at", "1s for 2s ab: loss 20%"], before);
    expect(spec?.schedule).toMatchObject([{ impairment: { lossRatio: 0.2, down: false } }]);
    expect(spec?.aToB?.lossRatio).toBe(0.5);
  });

  it.each(["1.5", "x", "99999999999999999999"])("refuse %s as a seed", async (seed) => {
    await expect(read(["--seed", seed])).rejects.toThrow(/--seed/);
  });
});

describe("schedules", () => {
  it("are steps with a start, a length, perhaps a repetition and a direction", () => {
    expect(parseStep("--at", "30s for 10s: loss 20%")).toEqual({
      start: { seconds: 30n, nanos: 0 },
      duration: { seconds: 10n, nanos: 0 },
      repeatEvery: undefined,
      direction: Direction.DIRECTION_UNSPECIFIED,
      impairment: Impairment.fromPartial({ lossRatio: 0.2 }),
    });
    expect(parseStep("--at", "0 for 500ms every 1m ba: down")).toMatchObject({
      start: undefined,
      duration: { nanos: 500_000_000 },
      repeatEvery: { seconds: 60n },
      direction: Direction.DIRECTION_B_TO_A,
      impairment: { down: true },
    });
  });

  it.each(["30s: loss 1%", "30s for 10s loss 1%", "30s for 0s: loss 1%", "30s for 10s up: loss 1%"])(
    "%j is refused",
    (text) => {
      expect(() => parseStep("--at", text)).toThrow(/--at/);
    },
  );

  it("in a file say the line that is wrong", () => {
    expect(parseScheduleFile("f", "# flap\n\n0s for 1s: down\n10s for 1s: loss 5%\n")).toHaveLength(2);
    expect(() => parseScheduleFile("f", "0s for 1s: down\nnonsense")).toThrow(/f:2/);
  });
});
