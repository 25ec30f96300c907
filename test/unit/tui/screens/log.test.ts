import { describe, expect, it } from "vitest";
import { unavailable } from "../../../../lib/errors.js";
import { LogScreen } from "../../../../tui/screens/log/log-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet } from "../steps.js";

const height = 10;

function onInstances(): TestProgram {
  const program = makeProgram();
  feedFleet(program.model, { hosts: 1, instancesPerHost: 1, nowMs: program.model.nowMs });
  program.press("2");
  return program;
}

function shown({ model }: TestProgram): string {
  if (!(model.screen instanceof LogScreen)) throw new Error(`a log was expected, not ${model.screen.title()}`);
  const { lines, facts = [] } = model.screen.draw(80, height);
  return [facts, ...lines.map(({ line }) => line)].map((line) => line.map(({ text }) => text).join("")).join("\n");
}

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}`);

describe("the log of an instance", () => {
  it("is followed at its end, harmless, until one goes up; G follows again", async () => {
    const program = onInstances();
    const [first, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    program.gateway.log = [
      ...numbered(1, 30),
      "\x1b[31mred\x1b[0m\tend",
      () => first.promise,
      ...numbered(31, 32),
      () => rest.promise,
    ];
    program.press("l");
    await eventually(() => expect(shown(program)).toContain("\\x1b[31mred\\x1b[0m    end"));
    expect(program.gateway.calls).toEqual([expect.stringMatching(/^log hosts\/.*\/instances\/vm0$/)]);
    expect(shown(program)).toContain("following");
    expect(shown(program)).not.toContain("line 21\n");
    program.press("k");
    expect(shown(program)).toContain("not at the end");
    first.resolve();
    await eventually(() => program.press("G") ?? expect(shown(program)).toContain("line 32"));
    expect(shown(program)).toContain("following");
    rest.resolve();
    await eventually(() => expect(shown(program)).toContain("[the log ended]"));
  });

  it("has lines drawn where m was pressed, which no filter hides", async () => {
    const program = onInstances();
    const rest = Promise.withResolvers<void>();
    program.gateway.log = [...numbered(1, 3), () => rest.promise, "line 4"];
    program.press("l");
    await eventually(() => expect(shown(program)).toContain("line 3"));
    program.press("m");
    rest.resolve();
    await eventually(() => expect(shown(program)).toMatch(/line 3\s+──── mark 1, \d\d:\d\d:\d\d ────\s+line 4/));
    program.press("/", ..."4", "enter");
    expect(shown(program)).not.toContain("line 3");
    expect(shown(program)).toContain("mark 1,");
  });

  it("keeps the newest lines, and says why it cannot be read", async () => {
    const program = onInstances();
    program.gateway.log = numbered(1, 12_000);
    program.gateway.failure = unavailable("HOST_LOST", "", "the host was lost");
    program.press("l");
    await eventually(() => expect(shown(program)).toContain("[the host was lost]"));
    program.press("g");
    expect(shown(program)).toContain("line 2001");
    expect(shown(program)).toContain("it has ended");
    program.press("esc");
    expect(program.model.screen).not.toBeInstanceOf(LogScreen);
  });
});

describe("what is shown of a log", () => {
  const never = (): Promise<void> => new Promise(() => undefined);

  async function following(lines: readonly string[]): Promise<TestProgram> {
    const program = onInstances();
    program.gateway.log = [...lines, never];
    program.press("l");
    await eventually(() => expect(shown(program)).toContain(lines.at(-1)));
    return program;
  }

  it("is filtered by words, their absence and expressions, as they are typed; half an expression filters nothing", async () => {
    const program = await following(["INFO began", "WARN disk slow", "ERROR disk gone", "info 42 ended"]);
    const { press, model } = program;
    press("/", ..."disk !slow");
    expect(shown(program)).toMatch(/2 of 4|1 of 4/);
    expect(shown(program)).not.toContain("slow\n");
    expect(shown(program)).toContain("ERROR disk gone");
    press("ctrl-u", ..."~^info !~[0-9]+");
    expect(shown(program)).toContain("INFO began");
    expect(shown(program)).not.toContain("ended");
    // An expression that makes others hang is looked for in one pass.
    press("ctrl-u", ..."~^(\\w+\\s?)*$");
    press("ctrl-u", ..."~(a");
    expect(model.screen.draw(80, height).aside).toMatch(/the filter is not taken: .*not a regular expression/);
    expect(shown(program)).toContain("ERROR disk gone");
    press("esc");
    expect(shown(program)).toContain("WARN disk slow");
    press("/", ..."gone", "enter", "esc");
    expect(shown(program)).toContain("WARN disk slow");
    expect(model.screen).toBeInstanceOf(LogScreen);
  });

  it("is wrapped, or cut and moved sideways, with a beginning that may stay", async () => {
    const long = `begin ${"x".repeat(90)} middle ${"y".repeat(60)} end`;
    const program = await following([long, "last"]);
    const { press } = program;
    expect(shown(program)).toContain(" end");
    press("right");
    expect(program.model.notice?.text).toContain("lines are wrapped");
    press("W");
    expect(shown(program)).not.toContain("middle");
    press("right", "right", "right", "right", "right");
    expect(shown(program)).toContain("middle");
    expect(shown(program)).not.toContain("begin");
    expect(shown(program)).toContain("from column 80");
    press("|");
    expect(shown(program)).toContain("begin xxxxxx│");
    press("left", "left", "left", "left", "left");
    expect(shown(program)).toContain("begin xxxxxxx");
  });

  it("stays where it is while lines come, and says how many; then follows again", async () => {
    const program = onInstances();
    const more = Promise.withResolvers<void>();
    program.gateway.log = [...numbered(1, 50), () => more.promise, ...numbered(51, 80), never];
    program.press("l");
    await eventually(() => expect(shown(program)).toContain("line 50"));
    program.press("space");
    const before = program.model.screen.draw(80, height).lines;
    more.resolve();
    await eventually(() => expect(shown(program)).toContain("30 lines since"));
    expect(program.model.screen.draw(80, height).lines).toEqual(before);
    program.press("pgdn");
    expect(shown(program)).not.toContain("line 80");
    program.press("space");
    expect(shown(program)).toContain("line 80");
    expect(shown(program)).toContain("following");
    program.press("g");
    expect(shown(program)).toContain("line 1\n");
    program.press("k", "j", "j");
    expect(shown(program)).not.toContain("line 1\n");
  });

  it("begins when it is asked to, and is of what runs the instance", async () => {
    const program = await following(["a line"]);
    const { press, gateway, model } = program;
    press("S", ..."10m", "enter");
    await eventually(() => expect(gateway.calls.at(-1)).toMatch(/ since$/));
    expect(shown(program)).toContain("since 10m");
    press("S", ..."soon", "enter");
    expect(model.notice?.text).toContain("soon");
    press("S", ..."all", "enter", "tab");
    await eventually(() => expect(gateway.calls.at(-1)).toMatch(/vm0 runtime$/));
    expect(model.screen.title()).toContain("messages of what runs alpha/vm0");
  });

  it("is saved, as far as it is shown, under a name that says what it is", async () => {
    const program = await following(["one", "two", "three"]);
    const { press, done, model } = program;
    press("/", ..."!two", "enter", "ctrl-s");
    expect(model.prompt).toMatchObject({ text: "alpha-vm0-20231114-221320.log" });
    press("enter");
    await eventually(() => expect(done).toEqual(["saved alpha-vm0-20231114-221320.log: one\nthree\n"]));
    await eventually(() => expect(model.notice?.text).toBe("2 lines saved in alpha-vm0-20231114-221320.log"));
  });

  it("is that of all that are marked, by their times, with their names", async () => {
    const program = makeProgram();
    const { model, gateway, press } = program;
    feedFleet(model, { hosts: 1, instancesPerHost: 2, nowMs: model.nowMs });
    const first = Promise.withResolvers<void>();
    const at = (second: number, text: string) => ({ text, time: new Date(2026, 0, 1, 12, 0, second) });
    gateway.logs.set("hosts/alpha/instances/vm0", [() => first.promise, at(1, "vm0 first"), at(5, "vm0 last"), never]);
    gateway.logs.set("hosts/alpha/instances/vm1", [at(2, "vm1 first"), at(4, "vm1 last"), never]);
    press("2", "ctrl-a", "l");
    await eventually(() => expect(shown(program)).toContain("vm1 last"));
    first.resolve();
    await eventually(() => expect(shown(program)).toContain("vm0 last"));
    const order = [...shown(program).matchAll(/12:00:0(\d)\.000 alpha\/vm\d vm\d (?:first|last)/g)].map(
      ([, second]) => second,
    );
    expect(order).toEqual(["1", "2", "4", "5"]);
    expect(model.screen.title()).toBe("log of alpha/vm0 and alpha/vm1");
  });

  it("may be that of the hub", async () => {
    const program = onInstances();
    program.press(":", ..."hub-log", "enter");
    await eventually(() => expect(program.gateway.calls).toEqual(["log hub"]));
    expect(program.model.screen.title()).toBe("log of the hub");
  });
});
