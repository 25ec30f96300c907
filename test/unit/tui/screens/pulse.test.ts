import { describe, expect, it } from "vitest";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { Operation, OperationState } from "../../../../proto/gen/zor/v1/operation.js";
import { Controller } from "../../../../tui/app/controller.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { targetsOf } from "../../../../tui/kit/screen.js";
import { textWidth } from "../../../../tui/kit/text/text-width.js";
import { DetailScreen } from "../../../../tui/screens/detail/detail-screen.js";
import { PulseScreen } from "../../../../tui/screens/pulse/pulse-screen.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert, upsertHost, upsertInstance, upsertWhole } from "../steps.js";

function linesOf({ model }: TestProgram, width = 80, height = 19): string[] {
  return model.screen.draw(width, height).lines.map(({ line }) => line.map(({ text }) => text).join(""));
}

function selected({ model }: TestProgram): string {
  const { lines } = model.screen.draw(80, 19);
  return (lines.find((line) => line.selected === true)?.line ?? []).map(({ text }) => text).join("");
}

function used(id: string, cpu: number, memory: number) {
  const values = new Map([
    [Figure.FIGURE_CPU, cpu],
    [Figure.FIGURE_MEMORY, memory],
  ]);
  return { host: "hosts/alpha", name: `hosts/alpha/instances/${id}`, part: "", values };
}

function operation(id: string, state: OperationState, updateTime: Date, error = "") {
  const value = Operation.fromPartial({
    ...{ name: `operations/${id}`, verb: "instance.copy", target: "hosts/alpha/instances/vm0", state, updateTime },
    ...(error === "" ? {} : { error: { message: error } }),
  });
  return upsert({ kind: "operation", value });
}

/** The pulse of three hosts, one of which does not answer. */
function onPulse(): TestProgram {
  const program = makeProgram();
  feedFleet(program.model, { hosts: 3, instancesPerHost: 4, unreachable: 1, nowMs: program.model.nowMs });
  program.gateway.used = { all: [used("vm0", 900, 1 << 20), used("vm2", 20, 4 << 20)], trouble: "" };
  program.press("0");
  return program;
}

describe("the pulse", () => {
  it("says at 80x24 what there is, what is wrong and why, and who uses the most", async () => {
    const program = onPulse();
    await eventually(() => expect(linesOf(program).join("\n")).toContain("alpha/vm0"));
    const text = linesOf(program).join("\n");
    expect(text).toMatch(/hosts +3 +✗ 1 unreachable +● 2 ready/);
    expect(text).toMatch(/instances +12 +◌ 4 unreachable +○ 4 stopped +● 4 running/);
    expect(text).toMatch(/operations +1 +● 1 succeeded/);
    expect(text).toMatch(/events +0\.0\/s, 0 in 5 minutes, heard 0s ago/);
    expect(text).toMatch(/✗ host gamma +unreachable +14s +no answer to 3 keepalives/);
    expect(text).toMatch(/✗ link link2 +down +1m30s +gamma does not answer/);
    // What was last known of what is on a host that does not answer is not what is wrong.
    expect(text).not.toContain("gamma/vm0");
    expect(text).toContain("Busiest  0s old");
    expect(text.indexOf("alpha/vm0")).toBeLessThan(text.indexOf("alpha/vm2"));
    for (const [width, height] of [
      [80, 19],
      [200, 45],
      [60, 8],
    ] as const) {
      for (const line of linesOf(program, width, height)) expect(textWidth(line)).toBeLessThanOrEqual(width);
    }
    expect(program.model.screen.draw(80, 19).facts).toEqual([{ text: " 2 to look at, 2 bad", tone: "bad" }]);
  });

  it("goes to what the cursor is on: a table, what is wrong, who uses much; its keys act on it", async () => {
    const program = onPulse();
    const { model, press } = program;
    press("enter");
    expect(model.screen).toBeInstanceOf(TableScreen);
    press("esc");
    while (!selected(program).includes("link2")) press("j");
    expect(model.screen.draw(80, 19).aside).toBe("gamma does not answer (next try in 3s)");
    expect(targetsOf(model.screen).map(({ name }) => name)).toEqual(["links/link2"]);
    expect(program.controller.commands.find(({ keys }) => keys.includes("D"))?.title).toContain("diagnose");
    press("enter");
    expect(model.screen).toBeInstanceOf(DetailScreen);
    press("esc", "tab");
    await eventually(() => expect(linesOf(program).join("\n")).toContain("by memory"));
    const text = linesOf(program).join("\n");
    expect(text.indexOf("alpha/vm2")).toBeLessThan(text.indexOf("alpha/vm0"));
    press("q");
    await eventually(() =>
      expect(program.gateway.calls.filter((call) => call.endsWith(" figures")).toSorted()).toEqual([
        "left figures",
        "left figures",
        "watch figures",
        "watch figures",
      ]),
    );
  });

  it("counts what stands still and what failed a while ago, follows what changes, and says when all is well", () => {
    const program = makeProgram();
    const { model, clock, press } = program;
    feedFleet(model, { hosts: 1, instancesPerHost: 2, nowMs: model.nowMs });
    press("0");
    expect(model.screen.draw(80, 19).facts).toEqual([{ text: " all is well", tone: "good" }]);
    const apply = (step: Parameters<typeof model.fleet.apply>[0]): void => {
      model.fleet.apply(step, model.nowMs);
      model.changed();
    };
    apply(operation("slow", OperationState.OPERATION_STATE_RUNNING, new Date(clock.nowMs - 130_000)));
    apply(operation("old", OperationState.OPERATION_STATE_FAILED, new Date(clock.nowMs - 3_600_000), "long ago"));
    apply(operation("bad", OperationState.OPERATION_STATE_FAILED, new Date(clock.nowMs - 60_000), "no space"));
    apply(upsertInstance("alpha", "vm0", InstanceState.INSTANCE_STATE_FAILED));
    expect(linesOf(program).join("\n")).toMatch(/✗ operation bad +failed +1m00s +no space/);
    expect(linesOf(program).join("\n")).toMatch(/! operation slow +stalled +2m10s +nothing was heard for 2m10s/);
    expect(linesOf(program).join("\n")).toMatch(/✗ instance alpha\/vm0 +failed/);
    expect(linesOf(program).join("\n")).not.toContain("long ago");
    apply(upsertInstance("alpha", "vm0"));
    apply(operation("slow", OperationState.OPERATION_STATE_SUCCEEDED, new Date(clock.nowMs)));
    expect(linesOf(program).join("\n")).not.toMatch(/slow|alpha\/vm0 +failed/);
    const paused = InstanceState.INSTANCE_STATE_PAUSED;
    apply(upsertWhole({ name: "hosts/alpha/instances/vm0", status: { state: paused } }));
    expect(linesOf(program).join("\n")).not.toContain("paused, because");
    apply(upsertWhole({ name: "hosts/alpha/instances/vm0", status: { state: paused, reason: "the disk is full" } }));
    expect(linesOf(program).join("\n")).toMatch(/= instance alpha\/vm0 +paused +the disk is full/);
    apply(upsertHost("alpha"));
    clock.nowMs += 3000;
    model.changed();
    expect(linesOf(program).join("\n")).toMatch(/events +0\.\d\/s, 9 in 5 minutes, heard 3s ago/);
  });

  it("shows a few of many things that are wrong, and all when it is asked", () => {
    const program = makeProgram();
    const { model, press } = program;
    feedFleet(model, { hosts: 1, instancesPerHost: 0, nowMs: model.nowMs });
    for (let index = 0; index < 30; index += 1)
      model.fleet.apply(upsertInstance("alpha", `x${index}`, InstanceState.INSTANCE_STATE_FAILED), model.nowMs);
    press("0");
    expect(linesOf(program).join("\n")).not.toContain("alpha/x9");
    while (!selected(program).includes("24 more")) press("j");
    press("enter");
    expect(linesOf(program, 80, 60).filter((line) => line.includes("✗ instance"))).toHaveLength(30);
    press("esc");
    expect(model.screen).toBeInstanceOf(PulseScreen);
    expect(linesOf(program, 80, 19).join("\n")).toContain("24 more");
  });

  it("looks only at what has changed when it is drawn, and at what changes with the time", () => {
    const looks = new Map<string, number>();
    const kinds = tuiKinds.map((kind) => {
      const { troubleOf } = kind;
      if (troubleOf === undefined) return kind;
      return {
        ...kind,
        troubleOf: (...given: Parameters<typeof troubleOf>) => {
          looks.set(kind.kind, (looks.get(kind.kind) ?? 0) + 1);
          return troubleOf(...given);
        },
      };
    });
    const program = makeProgram({}, kinds);
    const { model, press } = program;
    feedFleet(model, { hosts: 2000, instancesPerHost: 1, unreachable: 1, nowMs: model.nowMs });
    press("0");
    const draw = (): number => {
      looks.clear();
      model.changed();
      linesOf(program);
      return looks.get("host") ?? 0;
    };
    expect(draw()).toBeGreaterThanOrEqual(2000);
    // What is wrong is told again, of the others nothing is read.
    expect(draw()).toBe(1);
    expect(looks.get("operation")).toBe([...model.fleet.rowsOf("operation")].length);
    model.fleet.apply(upsertHost("alpha"), model.nowMs);
    expect(draw()).toBe(2);
  });

  it("is the first screen only where that is asked for", () => {
    const { program, model } = makeProgram();
    expect(model.screen).toBeInstanceOf(TableScreen);
    new Controller(program, { line: "pulse" });
    expect(model.screen).toBeInstanceOf(PulseScreen);
  });
});
