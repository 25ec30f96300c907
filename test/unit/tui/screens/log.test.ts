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
    expect(program.gateway.calls).toEqual([expect.stringMatching(/^log hosts\/.*\/instances\//)]);
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

  it("keeps the newest lines, and says why it cannot be read", async () => {
    const program = onInstances();
    program.gateway.log = numbered(1, 3000);
    program.gateway.failure = unavailable("HOST_LOST", "", "the host was lost");
    program.press("l");
    await eventually(() => expect(shown(program)).toContain("[the host was lost]"));
    program.press("g");
    expect(shown(program)).toContain("line 1002");
    expect(shown(program)).toContain("it has ended");
    program.press("esc");
    expect(program.model.screen).not.toBeInstanceOf(LogScreen);
  });
});
