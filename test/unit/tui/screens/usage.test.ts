import { expect, it } from "vitest";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { FigureHistory } from "../../../../proto/gen/zor/v1/figures_service.js";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram } from "../program.js";
import { upsertInstance } from "../steps.js";

const name = "hosts/alpha/instances/vm1";

/** A program that shows an instance. */
function shown() {
  const made = makeProgram();
  made.model.fleet.apply(upsertInstance("alpha", "vm1", InstanceState.INSTANCE_STATE_RUNNING), made.model.nowMs);
  made.model.openOnly(new TableScreen(made.program, "instance"));
  const drawn = (width = 80, height = 20): string[] =>
    made.model.screen.draw(width, height).lines.map(({ line }) => line.map(({ text }) => text).join(""));
  return { ...made, drawn };
}

function used(id: string, cpu: number, memory: number) {
  const values = new Map([
    [Figure.FIGURE_CPU, cpu],
    [Figure.FIGURE_MEMORY, memory],
  ]);
  return { host: "hosts/alpha", name: `hosts/alpha/instances/${id}`, part: "", values };
}

it("u shows what is used, the most first; sorts, turns, changes what is shown, and ends the watching when it is left", async () => {
  const { model, gateway, press, drawn } = shown();
  gateway.used = { all: [used("quiet", 10, 4 << 20), used("busy", 900, 1 << 20)], trouble: "" };
  press("u");
  const names = () => drawn().map((line) => line.split(" ")[0]);
  await eventually(() => expect(names()).toEqual(["NAME", "alpha/busy", "alpha/quiet"]));
  expect(drawn()[1]).toMatch(/^alpha\/busy +0\.90 +- +1M/);
  expect(drawn().every((line) => line.length <= 80)).toBe(true);
  expect(model.screen.title()).toBe("use of instances by CORES");
  press("R");
  expect(names()).toEqual(["NAME", "alpha/quiet", "alpha/busy"]);
  press("R", ">", ">");
  expect(model.screen.title()).toBe("use of instances by MEM");
  expect(names()).toEqual(["NAME", "alpha/quiet", "alpha/busy"]);
  press("<", "tab");
  expect(model.screen.title()).toBe("use of links by IN/s");
  await eventually(() => expect(drawn()[1]).toContain("no links are measured"));
  press("esc");
  expect(model.screen).toBeInstanceOf(TableScreen);
  const { calls } = gateway;
  await eventually(() => expect(calls.filter((each) => each.startsWith("left"))).toHaveLength(calls.length / 2));
  expect(calls[0]).toBe("watch instance by cores desc, 64 from 0: ");
});

it("u has a cursor once a row is chosen, which stays on it; what it is on is acted on, opened, filtered, and told with its age", async () => {
  const { model, clock, gateway, press, drawn, controller } = shown();
  gateway.used = { all: [used("quiet", 10, 4 << 20), used("vm1", 500, 1 << 20), used("busy", 900, 0)], trouble: "" };
  press("u");
  await eventually(() => expect(drawn()).toHaveLength(4));
  const selected = () => model.screen.draw(80, 20).lines.findIndex((line) => line.selected === true);
  expect([selected(), model.screen.subject()]).toEqual([-1, undefined]);
  press("enter");
  expect(model.notice?.text).toBe("choose a row first, with up and down");
  press("down", "down");
  expect([selected(), model.screen.subject()?.name]).toEqual([2, name]);
  press("R", ">");
  expect(selected()).toBe(3);
  press(">");
  expect([selected(), drawn()[2]?.split(" ")[0]]).toEqual([2, "alpha/vm1"]);
  expect(controller.commands.find(({ keys }) => keys.includes("x"))?.title).toContain("stop at once");
  press("esc");
  expect(selected()).toBe(-1);
  press("/", ..."VM1", "enter");
  await eventually(() => expect(drawn()).toHaveLength(2));
  clock.nowMs += 3000;
  const facts = model.screen.draw(80, 20).facts ?? [];
  expect(facts.map(({ text }) => text).join("")).toBe(" 1 /VM1 3s old");
  press("down", "enter");
  expect(model.screen.title()).toBe("instance alpha/vm1");
  press("esc", "esc", "esc");
  await eventually(() => expect(drawn()).toHaveLength(4));
  expect(model.screen.line?.()).toBe("top instances");
  press("tab", "esc", ":", ..."top", "space", ..."lans", "enter");
  expect(model.screen.title()).toBe("use of lans by IN/s");
});

it("u says why there are no figures", async () => {
  const { model, gateway, press, drawn } = shown();
  gateway.failure = new Error("this hub is too old");
  press("u");
  await eventually(() => expect(model.screen.draw(80, 20).aside).toBe("this hub is too old"));
  expect(drawn()[1]).toContain("waiting for figures");
});

it("h shows what was used, of other times too, in rows and large; and says when it cannot be read", async () => {
  const { model, clock, gateway, press, drawn } = shown();
  const point = (before: number, average: bigint) => ({ time: new Date(clock.nowMs - before), average, most: average });
  const points = [point(50_000, 100n), point(40_000, 500n), point(30_000, 250n), point(20_000, 250n)];
  gateway.history = [
    FigureHistory.fromPartial({ host: "hosts/alpha", name, figure: Figure.FIGURE_CPU, points }),
    FigureHistory.fromPartial({ host: "hosts/alpha", name, figure: Figure.FIGURE_MEMORY, points }),
  ];
  press("h");
  await eventually(() => expect(drawn().join("\n")).toMatch(/^ cpu .*last 0\.25 cores, .*most 0\.50 cores$/m));
  expect(model.screen.title()).toBe("history instance alpha/vm1, an hour");
  const rows = drawn().length;
  press("H");
  expect(drawn(80, 60).length).toBeGreaterThan(rows + 10);
  expect(drawn(80, 60).every((line) => line.length <= 80)).toBe(true);
  press("+", "-", "-", "-", "-");
  expect(model.screen.title()).toBe("history instance alpha/vm1, a day");
  await eventually(() => expect(gateway.calls.at(-1)).toBe(`history ${name} 1440 min`));
  gateway.failure = new Error("nobody is there");
  press("+");
  await eventually(() => expect(model.screen.draw(80, 20).aside).toBe("nobody is there"));
  press("esc");
  expect(model.screen).toBeInstanceOf(TableScreen);
});

it("tells the values at a cursor, in rows and in charts of what belongs together, of dots only where there are any", async () => {
  for (const hasDots of [true, false]) {
    const program = makeProgram({ hasDots });
    const { model, clock, gateway, press } = program;
    model.fleet.apply(upsertInstance("alpha", "vm1", InstanceState.INSTANCE_STATE_RUNNING), model.nowMs);
    model.openOnly(new TableScreen(program.program, "instance"));
    const drawn = (width = 80): string =>
      model.screen
        .draw(width, 50)
        .lines.map(({ line }) => line.map(({ text }) => text).join(""))
        .join("\n");
    const points = Array.from({ length: 360 }, (_, at) => ({
      ...{ time: new Date(clock.nowMs - (360 - at) * 10_000), average: BigInt(at), most: BigInt(at) },
    }));
    gateway.history = [Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT].map((figure) =>
      FigureHistory.fromPartial({ host: "hosts/alpha", name, figure, points }),
    );
    press("h");
    await eventually(() => expect(drawn()).toMatch(/net-in .*last 359B\/s/));
    press("{", "{", "{");
    expect(drawn()).toMatch(/net-in .*then 1\d\dB\/s, average 180B\/s, most 359B\/s/);
    expect(model.screen.draw(80, 50).facts?.[0]?.text).toMatch(/^ at \d\d:\d\d:\d\d/);
    press("H");
    // One chart with both: two lines of legend, and ten rows.
    expect(drawn().trimEnd().split("\n")).toHaveLength(12);
    expect(drawn()).toMatch(/net-out: then 1\d\dB\/s/);
    expect(/[\u2801-\u28ff]/.test(drawn())).toBe(hasDots);
    press("#");
    expect(drawn()).not.toMatch(/[\u2801-\u28ff]/);
    const inverse = model.screen.draw(80, 50).lines.flatMap(({ line }) => line.filter((part) => part.inverse === true));
    expect(inverse).toHaveLength(10);
    press("}", "}", "}", "}");
    expect(drawn()).toMatch(/net-in: last 359B\/s/);
    press("left", "esc");
    expect(drawn()).toMatch(/net-in: last/);
    for (const width of [60, 200])
      for (const line of drawn(width).split("\n")) expect(line.length).toBeLessThanOrEqual(width);
    press("esc");
  }
});

it("h is for what is measured", () => {
  const { model, program, gateway, press } = makeProgram();
  model.openOnly(new TableScreen(program, "event"));
  press("h");
  expect(gateway.calls).toEqual([]);
});

/** Many instances, the one with the highest number uses the most. */
function many(count: number) {
  return Array.from({ length: count }, (_, at) => used(`vm${at}`, at + 1, 1 << 20));
}

it("u asks for what is around what is shown, goes to the end, and after a chosen row wherever that goes", async () => {
  const { model, gateway, press, drawn } = shown();
  gateway.used = { all: many(3000), trouble: "" };
  press("u");
  await eventually(() => expect(drawn()[1]).toMatch(/^alpha\/vm2999 +3\.00/));
  const { extent } = model.screen.draw(80, 20);
  expect(extent).toEqual({ top: 0, shown: 19, length: 3000 });
  press("end");
  expect(drawn().at(-1)).toBe("…");
  await eventually(() => expect(drawn().at(-1)).toMatch(/^alpha\/vm0 +0\.00/));
  const watched = (): string[] => gateway.calls.filter((call) => call.startsWith("watch "));
  expect(watched().at(-1)).toBe("watch instance by cores desc, 64 from 2962: ");
  // It is among the least now, and is the most then: the window follows.
  press("up");
  model.fleet.apply(upsertInstance("alpha", "vm1"), model.nowMs);
  expect(model.screen.subject()?.name).toBe(name);
  gateway.used = { all: [...many(3000).filter((each) => each.name !== name), used("vm1", 9000, 0)], trouble: "" };
  gateway.tellUsed(gateway.used);
  expect(model.screen.subject()?.name).toBe(name);
  await eventually(() => expect(drawn()[1]).toMatch(/^alpha\/vm1 +9\.00/));
  expect(watched().at(-1)).toContain(`: ${name}`);
  expect(model.screen.draw(80, 20).lines[1]?.selected).toBe(true);
  // It is gone: the cursor stays at its place.
  gateway.tellUsed({ all: many(3000).filter((each) => each.name !== name), trouble: "" });
  model.fleet.apply({ $case: "removed", value: { kind: "instance", name } }, model.nowMs);
  await eventually(() => expect(drawn()[1]).toMatch(/^alpha\/vm2999 /));
  expect(model.screen.draw(80, 20).lines[1]?.selected).toBe(true);
});

it("u has a line for each end of a link, of those that are shown", async () => {
  const { gateway, press, drawn } = shown();
  const end = (id: string, host: string, bytes: number) => ({
    ...{ host: `hosts/${host}`, name: `links/${id}`, part: `hosts/${host}/lans/lan1` },
    values: new Map([[Figure.FIGURE_NET_IN, bytes]]),
  });
  gateway.used = { all: [end("quiet", "alpha", 1), end("busy", "beta", 4096), end("busy", "alpha", 7)], trouble: "" };
  press("u", "tab");
  await eventually(() =>
    expect(drawn().map((line) => line.slice(0, 44).trim())).toEqual([
      expect.stringMatching(/^NAME/),
      expect.stringMatching(/^busy at alpha +7B/),
      expect.stringMatching(/^busy at beta +4K/),
      expect.stringMatching(/^quiet at alpha +1B/),
      expect.stringMatching(/^quiet/),
    ]),
  );
});
