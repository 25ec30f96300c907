import { describe, expect, it } from "vitest";
import { Event } from "../../../../proto/gen/zor/v1/event.js";
import { Operation, OperationState } from "../../../../proto/gen/zor/v1/operation.js";
import { Snapshot } from "../../../../proto/gen/zor/v1/snapshot.js";
import { markText, saysText } from "../../../../tui/kit/text/find-text.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert, upsertInstance } from "../steps.js";

const vm0 = "hosts/alpha/instances/vm0";

function linesOf({ model }: TestProgram, height = 80): string[] {
  return model.screen.draw(80, height).lines.map(({ line }) =>
    line
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  );
}

function selected({ model }: TestProgram): string {
  const { lines } = model.screen.draw(80, 80);
  return (lines.find((line) => line.selected === true)?.line ?? []).map(({ text }) => text).join("");
}

function goTo(program: TestProgram, text: string): void {
  program.press("g");
  for (let step = 0; step < 100 && !selected(program).includes(text); step += 1) program.press("j");
  expect(selected(program)).toContain(text);
}

/** The description of an instance with a snapshot, an operation and events. */
function onInstance(): TestProgram {
  const program = makeProgram();
  const { model } = program;
  feedFleet(model, { hosts: 2, instancesPerHost: 2, nowMs: model.nowMs });
  const snapshot = Snapshot.fromPartial({
    name: "hosts/alpha/snapshots/before",
    spec: { instance: "vm0" },
    status: { state: 2 },
  });
  const operation = Operation.fromPartial({
    ...{ name: "operations/copy1", verb: "instance.copy", target: vm0, state: OperationState.OPERATION_STATE_RUNNING },
  });
  model.fleet.apply(upsert({ kind: "snapshot", value: snapshot }), model.nowMs);
  model.fleet.apply(upsert({ kind: "operation", value: operation }), model.nowMs);
  for (let index = 0; index < 9; index += 1) {
    const time = new Date(model.nowMs - index * 60_000);
    const event = { name: `events/e${index}`, time, type: "instance.reset", resource: vm0, message: `reset ${index}` };
    model.fleet.apply(upsert({ kind: "event", value: Event.fromPartial(event) }), model.nowMs);
  }
  program.press(":", ..."describe alpha/vm0", "enter");
  return program;
}

describe("a description", () => {
  it("has what the thing has to do with, and what happened to it, and leads there", () => {
    const program = onInstance();
    const { press, model, clock } = program;
    const text = linesOf(program).join("\n");
    expect(text).toMatch(/→ host +alpha {2}● ready/);
    expect(text).toMatch(/→ lan +alpha\/lan1 {2}● up/);
    expect(text).toMatch(/→ operation +copy1 {2}◐ running/);
    expect(text).toMatch(/→ snapshot +alpha\/before {2}● ready/);
    expect(text).toMatch(/instance\.reset {2}reset 0/);
    // One was there before.
    expect(text).toMatch(/and 4 other events|and 3 other events/);
    goTo(program, "→ lan");
    expect(model.screen.draw(80, 40).aside).toBe("enter goes there");
    press("enter");
    expect(model.screen.title()).toBe("lan alpha/lan1");
    expect(linesOf(program).join("\n")).toMatch(/→ link +link1/);
    goTo(program, "→ instance");
    press("enter");
    expect(model.screen.title()).toBe("instance alpha/vm0");
    press("esc", "esc");
    goTo(program, "other events");
    press("enter");
    expect(model.screen).toBeInstanceOf(TableScreen);
    expect(model.screen.title()).toBe("events(alpha/vm0)");
    press("esc");
    clock.nowMs += 5000;
    expect(model.screen.draw(80, 40).facts).toEqual([{ text: " heard 5s ago", tone: "dim" }]);
  });

  it("is live: what changes is drawn, and the cursor stays", () => {
    const program = onInstance();
    const { model } = program;
    goTo(program, "→ snapshot");
    model.fleet.apply({ $case: "removed", value: { kind: "operation", name: "operations/copy1" } }, model.nowMs);
    model.fleet.apply(upsertInstance("alpha", "vm0"), model.nowMs);
    model.changed();
    expect(linesOf(program).join("\n")).not.toContain("copy1");
    model.fleet.apply({ $case: "removed", value: { kind: "instance", name: vm0 } }, model.nowMs);
    expect(linesOf(program).join("\n")).toContain("it is gone; esc goes back");
  });

  it("folds its sections, one or all", () => {
    const program = onInstance();
    const { press } = program;
    const whole = linesOf(program).length;
    goTo(program, "Interfaces");
    press("enter");
    expect(linesOf(program).join("\n")).toMatch(/Interfaces {2}\d lines, folded/);
    expect(linesOf(program).length).toBeLessThan(whole);
    press("enter");
    expect(linesOf(program)).toHaveLength(whole);
    press("tab");
    expect(linesOf(program).join("\n")).not.toContain("→ lan");
    press("tab");
    expect(linesOf(program)).toHaveLength(whole);
  });

  it("is searched as it is typed; n and N go on, around both ends", () => {
    const program = onInstance();
    const { press, model } = program;
    press("/", ..."RESET");
    expect(selected(program)).toContain("reset 0");
    press("enter", "n");
    expect(selected(program)).toContain("reset 1");
    press("N", "N");
    expect(selected(program)).toContain("reset 5");
    expect(model.screen.draw(80, 40).facts).toContainEqual({ text: " /RESET 6", tone: "warn" });
    press("esc");
    expect(model.screen.draw(80, 40).facts).toHaveLength(1);
    press("/", ..."nowhere", "enter");
    expect(model.screen.draw(80, 40).facts).toContainEqual({ text: " /nowhere 0", tone: "bad" });
  });

  it("is shown as YAML and back, folded by its keys, and leads where it names others", () => {
    const program = onInstance();
    const { press, model } = program;
    press("y");
    expect(model.screen.title()).toBe("instance alpha/vm0 yaml");
    goTo(program, "spec:");
    const whole = linesOf(program, 200).length;
    press("enter");
    expect(linesOf(program, 200).length).toBeLessThan(whole);
    expect(selected(program)).toContain("spec: …");
    press("enter");
    // Its own name leads nowhere, and nothing says that it does.
    goTo(program, `name: ${vm0}`);
    expect(model.screen.draw(80, 40).aside).toBe("");
    const { commands } = program.controller;
    expect(commands.find(({ keys }) => keys.includes("enter"))?.hint?.when?.()).toBe(false);
    press("enter");
    expect(model.screen.title()).toBe("instance alpha/vm0 yaml");
    press("y");
    expect(model.screen.title()).toBe("instance alpha/vm0");
    press(":", ..."describe link1", "enter", "y");
    goTo(program, "b: hosts/beta/lans/lan1");
    press("enter");
    expect(model.screen.title()).toBe("lan beta/lan1");
  });

  it("of a host leads to the tables of what is on it", () => {
    const program = onInstance();
    const { press, model } = program;
    press(":", ..."describe alpha", "enter");
    expect(linesOf(program).join("\n")).toMatch(/→ instances +2 instances/);
    goTo(program, "→ lans");
    press("enter");
    expect(model.screen.title()).toBe("lans(alpha)");
  });
});

describe("a text that is searched for", () => {
  const line = [{ text: "Reset and " }, { text: "re", tone: "bad" as const }, { text: "set" }];

  it("is found over the borders of segments, whatever the case, and marked everywhere", () => {
    expect(saysText(line, "reset")).toBe(true);
    expect(markText(line, "reset")).toEqual([
      { text: "Reset", inverse: true },
      { text: " and " },
      { text: "re", tone: "bad", inverse: true },
      { text: "set", inverse: true },
    ]);
  });

  it("is nowhere when it is empty or not there", () => {
    expect(saysText(line, "")).toBe(false);
    expect(markText(line, "x")).toBe(line);
  });
});
