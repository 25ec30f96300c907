import { expect, describe as group, it } from "vitest";
import { HostState } from "../../../../proto/gen/zor/v1/host.js";
import { describeLines } from "../../../../tui/kit/describe/describe-lines.js";
import { yamlOf } from "../../../../tui/kit/describe/yaml.js";
import type { Model } from "../../../../tui/kit/model.js";
import { lineWidth } from "../../../../tui/kit/text/segment.js";
import { fakeA2b } from "../../../fakes/fleet-a2b.js";
import { makeModel } from "../program.js";
import { feedFleet, upsert, upsertHost } from "../steps.js";

const nowMs = 1_700_000_000_000;

function described(kind: string, name: string, change?: (model: Model) => void): string {
  const model = makeModel(nowMs);
  feedFleet(model, { hosts: 2, instancesPerHost: 2, nowMs });
  model.fleet.apply(upsert(fakeA2b("alpha", "wan", nowMs)), nowMs);
  change?.(model);
  const row = model.fleet.find(kind, name);
  if (row === undefined) throw new Error(`${name} is not in the fleet`);
  const lines = describeLines(model.kinds.get(kind).describe(row, model.context), 80);
  for (const line of lines) expect(lineWidth(line)).toBeLessThanOrEqual(80);
  return lines.map((line) => line.map((segment) => segment.text).join("")).join("\n");
}

group("a description", () => {
  it.each<readonly [string, string, readonly RegExp[]]>([
    [
      "host",
      "hosts/alpha",
      [/state +● ready/, /last seen +now/, /kvm +○ no +the device opens but does not boot a guest/],
    ],
    [
      "instance",
      "hosts/alpha/instances/vm0",
      [/state +● running/, /started +1h00m ago/, /eth0 +● lan1/, /machine +microvm/],
    ],
    ["instance", "hosts/alpha/instances/vm1", [/state +○ stopped/, /started +never/, /rootfs +micro/]],
    ["lan", "hosts/alpha/lans/lan1", [/mtu +1500/, /Ports \(2\)/, /link1 +in 999999 frames 85\.8M/]],
    ["link", "links/link1", [/path +direct/, /round trip +0\.21ms/, /End A: alpha\/lan1/, /role +dialer/]],
    [
      "operation",
      "hosts/alpha/operations/op1",
      [/state +● succeeded/, /done +█{10} 100%/, /target +hosts\/alpha\/instances\/vm0/],
    ],
    [
      "a2b",
      "hosts/alpha/a2bs/wan",
      [
        /state +● active/,
        /side a +lan1, port ztboxa/,
        /seed +99 \(a new one each start\)/,
        /From a to b\n in force +50ms±5 1% 10Mb\/s, uniform jitter\n came in +12000 frames/,
        /dropped +20 queue full/,
        /From b to a\n in force +frames pass untouched/,
        /1 both ways +at 30s for 10s, every 1m00s: DOWN/,
      ],
    ],
    ["event", "events/e1", [/severity +· info/, /type +instance\.started/]],
  ])("of %s %s tells what there is to know", (kind, name, facts) => {
    const text = described(kind, name);
    for (const fact of facts) expect(text).toMatch(fact);
  });

  it("of something on a lost host says that it is what was last known", () => {
    const lose = (model: Model) =>
      model.fleet.apply(upsertHost("alpha", HostState.HOST_STATE_UNREACHABLE, new Date(nowMs - 14_000)), nowMs);
    expect(described("instance", "hosts/alpha/instances/vm0", lose)).toMatch(
      /◌ unreachable 14s\n.*last known: running/,
    );
    expect(described("link", "links/link1", lose)).toContain("host alpha does not answer; this is what it said last");
  });

  it("as YAML is the API's JSON", () => {
    const model = makeModel(nowMs);
    feedFleet(model, { hosts: 2, instancesPerHost: 2, nowMs });
    model.fleet.apply(upsert(fakeA2b("alpha", "wan", nowMs)), nowMs);
    for (const [kind, name] of [
      ["host", "hosts/alpha"],
      ["instance", "hosts/alpha/instances/vm0"],
      ["lan", "hosts/alpha/lans/lan1"],
      ["link", "links/link1"],
      ["operation", "hosts/alpha/operations/op1"],
      ["event", "events/e1"],
      ["a2b", "hosts/alpha/a2bs/wan"],
    ] as const) {
      const row = model.fleet.find(kind, name);
      if (row === undefined) throw new Error(`${name} is not in the fleet`);
      expect(yamlOf(row)[0]?.text).toBe(`name: ${name}`);
    }
    const row = model.fleet.find("instance", "hosts/alpha/instances/vm0");
    if (row === undefined) throw new Error("the instance was just fed");
    const drawn = describeLines(yamlOf(row), 80).map((line) => line.map((segment) => segment.text).join(""));
    expect(drawn).toContain("       lan: lan1");
  });
});
