import { describe, expect, it } from "vitest";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { Snapshot } from "../../../../proto/gen/zor/v1/snapshot.js";
import { targetsOf } from "../../../../tui/kit/screen.js";
import { textWidth } from "../../../../tui/kit/text/text-width.js";
import { DetailScreen } from "../../../../tui/screens/detail/detail-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert, upsertInstance, upsertWhole } from "../steps.js";

function linesOf({ model }: TestProgram, width = 80, height = 19): string[] {
  return model.screen.draw(width, height).lines.map(({ line }) =>
    line
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  );
}

function selected({ model }: TestProgram): string {
  const { lines } = model.screen.draw(200, 50);
  return (lines.find((line) => line.selected === true)?.line ?? []).map(({ text }) => text).join("");
}

function onXray(hosts = 2): TestProgram {
  const program = makeProgram();
  feedFleet(program.model, { hosts, instancesPerHost: 2, nowMs: program.model.nowMs });
  program.press("ctrl-x");
  return program;
}

function snapshot(id: string, parent: string, more: { current?: boolean; sizeBytes?: bigint; minutes?: number } = {}) {
  const { current = false, sizeBytes = 0n, minutes = 0 } = more;
  const value = Snapshot.fromPartial({
    name: `hosts/alpha/snapshots/${id}`,
    spec: { instance: "vm0", parent, description: `about ${id}` },
    status: { state: 2, current, sizeBytes, snapshotTime: new Date(1_700_000_000_000 - minutes * 60_000) },
  });
  return upsert({ kind: "snapshot", value });
}

describe("xray", () => {
  it("shows hosts, closed where there are several, with what is on them", () => {
    const program = onXray();
    expect(linesOf(program)).toEqual([
      " ▸ ● host alpha ready  2 instances, 1 lan",
      " ▸ ● host beta ready  2 instances, 1 lan",
      " ▸ cables between hosts (1)",
    ]);
  });

  it("goes down to what is plugged in and what that has, and back", () => {
    const program = onXray();
    const { press } = program;
    press("right", "right", "right", "right", "right");
    expect(linesOf(program, 120)).toEqual([
      " ▾ ● host alpha ready  2 instances, 1 lan",
      "  ├─▾ ● lan lan1 up  3 plugged in",
      expect.stringMatching(/^ {2}│ {2}├─▾ ● port eth0 of vm0 {2}10\.0\.0\.1 {2}port ztvm0 {2}frames in 1\.2K/),
      expect.stringMatching(/^ {2}│ {2}│ {2}└─▸ ● instance vm0 running$/),
      expect.stringMatching(/^ {2}│ {2}├─▸ ○ port eth0 of vm1 {2}10\.0\.0\.2 {2}wanted, not plugged in now$/),
      expect.stringMatching(/^ {2}│ {2}└─▸ ● port a of link1 .*port ztlink1/),
      "  └─▸ operations (1)",
      " ▸ ● host beta ready  2 instances, 1 lan",
      " ▸ cables between hosts (1)",
    ]);
    press("right");
    expect(selected(program)).toContain("instance vm0");
    press("right");
    expect(linesOf(program, 120).join("\n")).toMatch(/└─ {2}nic eth0 {2}lan1 {2}02:00:00:00:00:01 {2}10\.0\.0\.1\/24/);
    press("left", "left", "left", "left", "left");
    expect(selected(program)).toContain("lan lan1");
    press("left", "left");
    expect(selected(program)).toContain("host alpha");
  });

  it("acts on what the cursor is on with the keys of its kind, and describes it", async () => {
    const program = onXray();
    const { press, model, gateway, controller } = program;
    press("/", ..."vm1", "enter");
    expect(linesOf(program).filter((line) => line.includes("vm1"))).not.toHaveLength(0);
    while (!selected(program).includes("port eth0 of vm1")) press("j");
    expect(targetsOf(model.screen).map(({ name }) => name)).toEqual(["hosts/alpha/instances/vm1"]);
    expect(controller.commands.find(({ keys }) => keys.includes("s"))?.title).toBe("start");
    press("s");
    await eventually(() => expect(gateway.calls).toContain("start hosts/alpha/instances/vm1"));
    press("enter");
    expect(model.screen).toBeInstanceOf(DetailScreen);
    press("esc", "esc");
    expect(linesOf(program)[0]).toContain("host alpha");
    expect(model.screen.title()).toBe("xray");
  });

  it("tells at the top what is wrong below, however deep, closed or open", () => {
    const program = onXray();
    const { model, press } = program;
    model.fleet.apply(
      upsertWhole({
        name: "hosts/beta/instances/vm0",
        spec: { nics: [{ name: "eth0", lan: "lan1" }] },
        status: { state: InstanceState.INSTANCE_STATE_FAILED, reason: "no memory" },
      }),
      model.nowMs,
    );
    model.changed();
    expect(linesOf(program)[1]).toBe(" ▸ ● host beta ready  ✗ 1  2 instances, 1 lan");
    press("j", "right", "right");
    expect(linesOf(program).join("\n")).toMatch(/lan lan1 up {2}✗ 1 {2}\d plugged in/);
    press("+");
    expect(linesOf(program, 100, 60).join("\n")).toContain("✗ instance vm0 failed no memory");
    press("-");
    expect(linesOf(program)).toHaveLength(3);
    model.fleet.apply(upsertInstance("beta", "vm0"), model.nowMs);
    model.changed();
    expect(linesOf(program)[1]).not.toContain("✗");
  });

  it("is open where there is one host, and fits whatever the size and the names", () => {
    const program = makeProgram();
    feedFleet(program.model, { hosts: 1, instancesPerHost: 40, hostile: true, nowMs: program.model.nowMs });
    program.press("ctrl-x", "+");
    for (const [width, height] of [
      [80, 19],
      [200, 45],
      [60, 8],
    ] as const) {
      for (let page = 0; page < 12; page += 1) {
        const lines = linesOf(program, width, height);
        for (const line of lines) {
          expect(textWidth(line)).toBeLessThanOrEqual(width);
          expect(line).not.toMatch(/[\u0000-\u001f]/);
        }
        expect(lines.length).toBeLessThanOrEqual(height);
        program.press("pgdn");
      }
    }
    program.press("ctrl-x");
    expect(program.model.screens).toHaveLength(2);
  });
});

describe("the snapshots of an instance", () => {
  function onTree(): TestProgram {
    const program = makeProgram();
    const { model } = program;
    feedFleet(model, { hosts: 1, instancesPerHost: 1, nowMs: model.nowMs });
    for (const step of [
      snapshot("base", "", { minutes: 60, sizeBytes: 1n << 20n }),
      snapshot("a", "base", { minutes: 50 }),
      snapshot("b", "base", { minutes: 40 }),
      snapshot("b2", "b", { minutes: 30, current: true, sizeBytes: 2n << 20n }),
    ])
      model.fleet.apply(step, model.nowMs);
    program.press("2", "ctrl-t");
    return program;
  }

  it("hang from each other, with size, age and where the instance is now", () => {
    const program = onTree();
    expect(program.model.screen.title()).toBe("snapshots of alpha/vm0");
    expect(linesOf(program, 100)).toEqual([
      " ▾ ● instance vm0 running  4, 3M",
      "  └─▾ ● snapshot base ready  1h00m ago  1M  disks, not frozen  about base",
      "     ├─  ● snapshot a ready  50m00s ago  0B  disks, not frozen  about a",
      "     └─▾ ● snapshot b ready  40m00s ago  0B  disks, not frozen  about b",
      "        └─▾ ● snapshot b2 ready ◂ now  30m00s ago  2M  disks, not frozen  about b2",
      "           └─  you are here: ● instance vm0 running",
    ]);
  });

  it("have the cursor on what was taken from there, once it comes", () => {
    const { model } = onTree();
    const name = "hosts/alpha/snapshots/new";
    expect(model.screen.goTo?.("lan", name)).toBe(false);
    expect(model.screen.goTo?.("snapshot", name)).toBe(true);
    expect(model.screen.subject()?.kind).toBe("instance");
    model.fleet.apply(snapshot("new", "b2", { minutes: 1 }), model.nowMs);
    model.changed();
    expect(model.screen.subject()?.name).toBe(name);
  });

  it("are gone back to and deleted from there", () => {
    const program = onTree();
    const { press, model } = program;
    press("j", "j", "r");
    expect(model.prompt).toMatchObject({ type: "confirm", impact: { action: { verb: "revert" } } });
    press("esc", "ctrl-d");
    expect(model.prompt).toMatchObject({ type: "confirm", impact: { action: { verb: "delete" } } });
    press("esc", "G", "x");
    expect(model.prompt).toMatchObject({ type: "confirm", impact: { action: { verb: "stop" } } });
  });

  it("stay a tree when what they say of their parents is none", () => {
    const program = onTree();
    const { model } = program;
    model.fleet.apply(snapshot("x", "y"), model.nowMs);
    model.fleet.apply(snapshot("y", "x"), model.nowMs);
    model.fleet.apply(snapshot("z", "nowhere"), model.nowMs);
    model.changed();
    const text = linesOf(program, 100, 40).join("\n");
    for (const id of ["x", "y", "z"]) expect(text).toContain(`snapshot ${id} ready`);
  });
});
