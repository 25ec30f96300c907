import { describe, expect, it } from "vitest";
import { HostState } from "../../../../proto/gen/zor/v1/host.js";
import { Expose } from "../../../../proto/gen/zor/v1/expose.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Operation } from "../../../../proto/gen/zor/v1/operation.js";
import { Session } from "../../../../proto/gen/zor/v1/session.js";
import { Wire } from "../../../../proto/gen/zor/v1/wire.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { blastText, confirmationOf, impactTitle, planImpact } from "../../../../tui/kit/impact.js";
import type { Row } from "../../../../tui/kit/row.js";
import { fakeA2b } from "../../../fakes/fleet-a2b.js";
import { makeModel } from "../program.js";
import { feedFleet, upsert, upsertHost } from "../steps.js";

const nowMs = 1_700_000_000_000;

function fleetOf() {
  const model = makeModel(nowMs);
  feedFleet(model, { hosts: 2, instancesPerHost: 3, nowMs });
  return model.fleet;
}

function impactOf(verb: string, names: readonly string[], fleet = fleetOf()) {
  const kind = fleet.kinds.findByName(names[0] ?? "");
  const action = kind?.actions.find((candidate) => candidate.verb === verb);
  if (kind === undefined || action === undefined) throw new Error(`nothing can be asked with "${verb}" of ${names[0]}`);
  const rows = names.map((name) => {
    const row = fleet.find(kind.kind, name);
    if (row === undefined) throw new Error(`${name} is not in the fleet`);
    return row;
  });
  return planImpact(fleet, kind, action, rows);
}

const vm0 = "hosts/alpha/instances/vm0";
const vm1 = "hosts/alpha/instances/vm1";

describe("the blast radius", () => {
  it("of a delete names state, disks and what is unplugged", () => {
    const impact = impactOf("delete", [vm0]);
    expect(impact.changes).toMatchObject([
      { subject: "alpha/vm0", effect: "running; its disks and snapshots go with it; eth0 leaves lan1" },
    ]);
    expect(impactTitle(impact)).toBe("delete instance alpha/vm0");
  });

  it("leaves out what cannot be done, with the reason", () => {
    const impact = impactOf("start", [vm0, vm1]);
    expect(impact.changes.map((line) => line.subject)).toEqual(["alpha/vm1"]);
    expect(impact.skipped).toMatchObject([{ subject: "alpha/vm0", effect: "is running" }]);
  });

  it.each([
    ["qemu", { qemu: {} }, 1],
    ["crun", { crun: {} }, 0],
    ["docker", { docker: {} }, 0],
    ["podman", { podman: {} }, 0],
  ])("offers to suspend what can be suspended: %s", (_driver, spec, offered) => {
    const fleet = fleetOf();
    const value = Instance.fromJSON({ name: vm0, spec, status: { state: "INSTANCE_STATE_RUNNING" } });
    fleet.apply(upsert({ kind: "instance", value }), nowMs);
    expect(impactOf("suspend", [vm0], fleet).changes).toHaveLength(offered);
  });

  it("of a link names the lans that part", () => {
    expect(impactOf("delete", ["links/link1"]).changes).toMatchObject([
      { effect: "active; alpha/lan1 and beta/lan1 part" },
    ]);
  });

  it("of an in-line box names the lans that part, and leaves it alone on a host that does not answer", () => {
    const fleet = fleetOf();
    fleet.apply(upsert(fakeA2b("alpha", "wan", nowMs)), nowMs);
    const impact = impactOf("delete", ["hosts/alpha/a2bs/wan"], fleet);
    expect(impact.changes).toMatchObject([{ effect: "active; lan1 and lan2 of alpha part" }]);
    expect(impactTitle(impact)).toBe("delete a2b alpha/wan");
    expect(confirmationOf(impact)).toBe("y");
    fleet.apply(upsertHost("alpha", HostState.HOST_STATE_UNREACHABLE), nowMs);
    expect(impactOf("delete", ["hosts/alpha/a2bs/wan"], fleet).changes).toEqual([]);
  });

  it("of a host counts what is forgotten and names the links that lose an end", () => {
    const impact = impactOf("delete", ["hosts/alpha"]);
    expect(impact.changes).toMatchObject([
      { effect: "ready; forgotten with 3 instances and 1 lan, which keep running" },
    ]);
    expect(impact.collateral).toEqual(["link link1 (active) loses its end on alpha and is deleted"]);
  });

  it("looks at what suffers once, however many are deleted", () => {
    let looks = 0;
    const kinds = tuiKinds.map((kind) => {
      const { livesOn } = kind;
      expect(livesOn === undefined, kind.kind).toBe(kind.suffersFrom === undefined);
      if (kind.kind !== "link" || livesOn === undefined) return kind;
      const counted = (row: Row): readonly string[] => {
        looks += 1;
        return livesOn(row);
      };
      return { ...kind, livesOn: counted };
    });
    const model = makeModel(nowMs, kinds);
    feedFleet(model, { hosts: 2, instancesPerHost: 3, nowMs });
    const { fleet } = model;
    const impact = impactOf("delete", ["hosts/alpha", "hosts/beta"], fleet);
    expect(impact.collateral).toEqual([
      "link link1 (active) loses its end on alpha and is deleted",
      "link link1 (active) loses its end on beta and is deleted",
    ]);
    expect(looks).toBe([...fleet.rowsOf("link")].length);
  });

  it("refuses a lan that has something plugged in before the agent does", () => {
    const impact = impactOf("delete", ["hosts/alpha/lans/lan1"]);
    expect(impact.changes).toEqual([]);
    expect(impact.skipped[0]?.effect).toContain("2 plugged in (alpha/vm0/eth0 and link1)");
  });

  it("leaves alone what is on a host that does not answer, and what is waiting already", () => {
    const fleet = fleetOf();
    fleet.apply(upsertHost("alpha", HostState.HOST_STATE_UNREACHABLE), nowMs);
    expect(impactOf("stop", [vm0], fleet).skipped[0]?.effect).toContain("host alpha does not answer");
    const other = fleetOf();
    const row = other.find("instance", vm0);
    if (row !== undefined) other.markPending(row, "stop", nowMs);
    expect(impactOf("stop", [vm0], other).skipped[0]?.effect).toBe("still waiting for stop");
  });
});

describe("the confirmation", () => {
  it.each<readonly [string, readonly string[], string | undefined]>([
    ["start", [vm1], undefined],
    ["pause", [vm0], undefined],
    ["stop", [vm0], "y"],
    ["reset", [vm0], "y"],
    ["delete", [vm0], "y"],
    ["stop", [vm0, "hosts/beta/instances/vm0"], "y"],
    ["start", [vm1, "hosts/beta/instances/vm1"], "y"],
    ["delete", [vm0, vm1], "2"],
    ["delete", ["hosts/alpha"], "alpha"],
  ])("of %s %j is %j", (verb, names, phrase) => {
    expect(confirmationOf(impactOf(verb, names))).toBe(phrase);
  });
});

describe("how far something reaches", () => {
  it("is said in a line: how many, on how many hosts, and what that cuts", () => {
    const made = makeModel(0);
    feedFleet(made, { hosts: 2, instancesPerHost: 15, nowMs: 0 });
    const spec = { a: "hosts/alpha/instances/vm0/nics/eth0", b: "hosts/beta/instances/vm0/nics/eth0" };
    made.fleet.apply(upsert({ kind: "wire", value: Wire.fromPartial({ name: "hosts/alpha/wires/w", spec }) }), 0);
    const kind = made.kinds.get("instance");
    const [reset] = kind.actions.filter(({ verb }) => verb === "reset");
    if (reset === undefined) throw new Error("instances are reset");
    const impact = planImpact(made.fleet, kind, { ...reset, whyNot: () => undefined }, [
      ...made.fleet.rowsOf("instance"),
    ]);
    expect(blastText(impact)).toBe("reset 30 instances on 2 hosts, cuts 1 wire");
    expect(confirmationOf(impact, 20)).toBe("30");
    expect(confirmationOf(impact, 30)).toBe("y");
  });
});

describe("what is somebody else's", () => {
  const own = "zor://user/ana";
  const onVm0 = (caller: string, id: string) =>
    upsert({
      kind: "session",
      value: Session.fromPartial({ name: `hosts/alpha/sessions/${id}`, target: vm0, caller, type: 1 }),
    });
  const expose = (id: string, creator: string) =>
    upsert({
      kind: "expose",
      value: Expose.fromPartial({ name: `exposes/${id}`, spec: { instance: vm0 }, status: { creator } }),
    });
  const running = (id: string, caller: string) =>
    upsert({
      kind: "operation",
      value: Operation.fromPartial({ name: `operations/${id}`, caller, state: 1, verb: "wave.instance.stop" }),
    });

  it("is counted and named apart from one's own: who loses a console, what leads nowhere", () => {
    const fleet = fleetOf();
    fleet.own = new Map([["", own]]);
    for (const step of [onVm0(own, "s1"), onVm0("zor://user/bob", "s2"), onVm0("zor://user/eve", "s3")])
      fleet.apply(step, nowMs);
    fleet.apply(expose("web", "zor://service/ci"), nowMs);
    fleet.apply(expose("mine", own), nowMs);
    const stop = impactOf("stop", [vm0], fleet);
    expect(blastText(stop)).toBe("stop instance alpha/vm0, cuts 2 exposes (1 of ci), 3 sessions (2 of somebody else)");
    expect(stop.collateral).toEqual([
      "expose web leads nowhere while alpha/vm0 is down",
      "expose mine leads nowhere while alpha/vm0 is down",
      "ana loses the console of alpha/vm0",
      "bob loses the console of alpha/vm0",
      "eve loses the console of alpha/vm0",
    ]);
    const gone = impactOf("delete", [vm0], fleet);
    expect(blastText(gone)).toMatch(/^delete instance alpha\/vm0, affects .*2 exposes \(1 of ci\), 3 sessions/);
    expect(gone.collateral).toContain("expose web leads nowhere any more");
    expect(gone.collateral).toContain("bob loses the console of alpha/vm0");
    expect(impactOf("pause", [vm0], fleet).affected?.size).toBe(0);
  });

  it("is told of what would change itself; nobody's is what nobody tells, or a hub whose person is not known", () => {
    const fleet = fleetOf();
    fleet.own = new Map([["", own]]);
    for (const [id, caller] of [
      ["o1", "zor://user/bob"],
      ["o2", own],
      ["o3", ""],
    ] as const)
      fleet.apply(running(id, caller), nowMs);
    const names = ["operations/o1", "operations/o2", "operations/o3"];
    expect(blastText(impactOf("cancel", names, fleet))).toBe("cancel 3 operations (1 of bob)");
    expect(blastText(impactOf("cancel", names.slice(0, 1), fleet))).toBe("cancel operation o1 of bob");
    expect(blastText(impactOf("cancel", names.slice(1), fleet))).toBe("cancel 2 operations");
    fleet.own = new Map();
    expect(blastText(impactOf("cancel", names, fleet))).toBe("cancel 3 operations");
  });
});
