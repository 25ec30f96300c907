import { describe, expect, it } from "vitest";
import type { KnownResource } from "../../../../lib/kinds/resource.js";
import { Tap } from "../../../../proto/gen/zor/v1/tap.js";
import { FormScreen } from "../../../../tui/screens/form/form-screen.js";
import { endText, freeEnds, joiningOf } from "../../../../tui/screens/map/joining.js";
import { hostOn, instanceOn, lanOn, natOn, wireOn } from "../../../fakes/topology.js";
import { makeProgram } from "../program.js";
import { reset, snapshotEnd, upsert } from "../steps.js";

const tap: KnownResource = {
  kind: "tap",
  value: Tap.fromPartial({ name: "hosts/alpha/taps/t1", spec: { device: "t1" } }),
};

const lab: readonly KnownResource[] = [
  hostOn("alpha"),
  hostOn("beta"),
  lanOn("alpha/lan1"),
  lanOn("alpha/lan2"),
  lanOn("beta/lan1"),
  instanceOn("alpha/r1", ["lan1", "", ""]),
  instanceOn("alpha/r2", [""]),
  instanceOn("alpha/full", ["lan1"]),
  instanceOn("beta/r3", ["", ""]),
  natOn("alpha/way", ""),
  tap,
  wireOn("alpha/w1", "r1:eth1", ""),
];

function start() {
  const made = makeProgram();
  const { fleet, nowMs } = made.model;
  fleet.setConnection({ phase: "live", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
  fleet.apply(reset, nowMs);
  for (const resource of lab) fleet.apply(upsert(resource), nowMs);
  fleet.apply(snapshotEnd, nowMs);
  const row = (short: string) => {
    const [kind = "", name = ""] = short.split(" ");
    const [host, id] = name.split("/");
    const found = fleet.find(kind, `hosts/${host}/${kind}s/${id}`);
    if (found === undefined) throw new Error(`there is no ${short}`);
    return found;
  };
  /** Walks over the map to a thing. */
  const walkTo = (name: string) => {
    for (let turn = 0; made.model.screen.subject()?.name !== name && turn < 60; turn += 1) made.press("tab");
    expect(made.model.screen.subject()?.name).toBe(name);
  };
  return { ...made, fleet, row, walkTo };
}

describe("where a cable can end", () => {
  it.each([
    ["instance alpha/r1", ["alpha/r1:eth2"]],
    ["instance alpha/full", []],
    ["instance beta/r3", ["beta/r3:eth0", "beta/r3:eth1"]],
    ["lan alpha/lan1", ["alpha/lan1"]],
    ["tap alpha/t1", ["alpha/t1"]],
    ["nat alpha/way", ["alpha/way"]],
  ])("%s: %j", (short, ends) => {
    const { fleet, row } = start();
    expect(freeEnds(fleet, row(short)).map(endText)).toEqual(ends);
  });
});

describe("what joins two ends", () => {
  const nic = (host: string, instance: string, name: string) => `hosts/${host}/instances/${instance}/nics/${name}`;
  it.each<readonly [string, string, object]>([
    [
      "instance alpha/r1",
      "instance alpha/r2",
      {
        kind: "wire",
        filled: {
          host: "alpha",
          id: "r1-r2",
          json: { spec: { a: nic("alpha", "r1", "eth2"), b: nic("alpha", "r2", "eth0") } },
        },
      },
    ],
    [
      "instance alpha/r2",
      "instance beta/r3",
      { kind: "link", filled: { json: { spec: { b: nic("beta", "r3", "eth0") } } } },
    ],
    ["lan alpha/lan1", "lan beta/lan1", { kind: "link", filled: { json: { spec: { a: "hosts/alpha/lans/lan1" } } } }],
    [
      "lan alpha/lan1",
      "lan alpha/lan2",
      { kind: "a2b", filled: { host: "alpha", json: { spec: { lanA: "lan1", lanB: "lan2" } } } },
    ],
    [
      "lan alpha/lan1",
      "instance alpha/r2",
      { type: "plug", json: { spec: { nics: [{ name: "eth0", lan: "lan1" }] } } },
    ],
    ["tap alpha/t1", "lan alpha/lan2", { type: "plug", json: { spec: { device: "t1", lan: "lan2" } } }],
    ["nat alpha/way", "lan alpha/lan2", { type: "plug", json: { spec: { lan: "lan2" } } }],
    [
      "nat alpha/way",
      "instance alpha/r2",
      { type: "none", why: expect.stringContaining("a nat is plugged into a lan") },
    ],
    ["nat alpha/way", "lan beta/lan1", { type: "none" }],
    ["tap alpha/t1", "tap alpha/t1", { type: "none", why: expect.stringContaining("two ends") }],
  ])("%s and %s", (one, other, expected) => {
    const { fleet, row } = start();
    const [a] = freeEnds(fleet, row(one));
    const [b] = freeEnds(fleet, row(other));
    if (a === undefined || b === undefined) throw new Error("both have ends");
    expect(joiningOf(fleet, a, b)).toMatchObject(expected);
  });
});

describe("drawing a cable", () => {
  it("goes over the map from one end to the other, and waits there for the cable", async () => {
    const { press, walkTo, model, gateway, fleet } = start();
    press("2", "b");
    walkTo("hosts/alpha/instances/r1");
    press("W");
    expect(
      model.screen
        .draw(80, 20)
        .facts?.map(({ text }) => text)
        .join(""),
    ).toContain("cable from alpha/r1:eth2");
    walkTo("hosts/alpha/instances/r2");
    press("enter");
    await expect.poll(() => model.screen).toBeInstanceOf(FormScreen);
    press("ctrl-s");
    await expect.poll(() => model.screen.title()).toBe("map");
    expect(gateway.sent).toMatchObject([{ type: "create", name: "hosts/alpha/wires/r1-r2" }]);
    fleet.apply(upsert(wireOn("alpha/r1-r2", "r1:eth2", "r2:eth0")), model.nowMs);
    expect(model.screen.subject()?.name).toBe("hosts/alpha/wires/r1-r2");
  });

  it("asks which interface where several are free, and completes them", async () => {
    const { press, walkTo, model } = start();
    press("2", "b");
    walkTo("hosts/beta/instances/r3");
    press("W");
    expect(model.prompt).toMatchObject({ type: "input", choices: ["eth0", "eth1"] });
    press(..."eth1", "enter");
    walkTo("hosts/alpha/lans/lan1");
    press("W");
    await expect.poll(() => model.screen).toBeInstanceOf(FormScreen);
    expect(model.screen.title()).toBe("new link");
  });

  it("is dropped by escape before the map is left, and says where nothing is free", () => {
    const { press, walkTo, model } = start();
    press("2", "b");
    walkTo("hosts/alpha/instances/r2");
    press("W", "esc");
    expect(model.screen.title()).toBe("map");
    expect(model.screen.draw(80, 20).facts?.some(({ text }) => text.includes("cable"))).toBe(false);
    walkTo("hosts/alpha/instances/full");
    press("W");
    expect(model.notice?.text).toContain("no place that is free");
    press("esc");
    expect(model.screen.title()).toBe("instances");
  });

  it("joins two marked rows of a table", async () => {
    const { press, model } = start();
    press("3", "space", "down", "space", ":", ..."join", "enter");
    await expect.poll(() => model.screen).toBeInstanceOf(FormScreen);
    press("esc", "esc", ":", ..."join", "enter");
    expect(model.notice?.text).toContain("mark the two ends first");
  });
});
