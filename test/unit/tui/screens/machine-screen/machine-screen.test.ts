import { describe, expect, it } from "vitest";
import { MachineScreen } from "../../../../../tui/screens/machine-screen/machine-screen.js";
import { eventually } from "../../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../../program.js";
import { feedFleet, upsertWhole } from "../../steps.js";

const name = "hosts/alpha/instances/vm0";

/** On the screen of a machine, which shows nothing yet. */
function onScreen(readOnly = false): TestProgram {
  const program = makeProgram({ readOnly });
  feedFleet(program.model, { hosts: 1, instancesPerHost: 1, nowMs: program.model.nowMs });
  const spec = { driver: { $case: "qemu" as const, value: { display: "std" } } };
  program.model.fleet.apply(upsertWhole({ name, spec }), program.model.nowMs);
  program.press("2", "w");
  return program;
}

function shown({ model }: TestProgram): string {
  if (!(model.screen instanceof MachineScreen)) throw new Error(`a screen was expected, not ${model.screen.title()}`);
  const { lines, facts = [], aside } = model.screen.draw(80, 17);
  const head = `${model.screen.title()}${facts.map(({ text }) => text).join("")}|${aside ?? ""}`;
  return [head, ...lines.map(({ line }) => line.map(({ text }) => text).join(""))].join("\n");
}

describe("the screen of a machine", () => {
  it("is drawn as soon as it is there, and says why it is not", () => {
    const program = onScreen();
    const { screens, calls } = program.gateway;
    expect(calls).toEqual([`look ${name}`]);
    expect(shown(program)).toContain("connecting to its screen");
    screens.request?.listener.onLost("the host is away");
    expect(shown(program)).toContain("the host is away; trying again");
    screens.picture = { width: 720, height: 400, mean: () => 0x123456 };
    screens.request?.listener.onChanged();
    expect(shown(program)).toMatch(/^screen of alpha\/vm0 720x400\|\n▀{61}\n/);
    program.press("esc");
    expect(screens.request?.signal.aborted).toBe(true);
  });

  it("is typed at until Ctrl-], with what is pasted, and then keys are for zor", () => {
    const program = onScreen();
    const { calls } = program.gateway;
    expect(program.controller.typed("q")).toBe("q");
    program.press("i");
    expect(shown(program)).toContain("typing|what is typed goes to the machine's keyboard");
    expect(program.controller.typed("ls\x1b[15~\x03\x1b[200~a\nb\x1b[201~\x1desc")).toBe("esc");
    expect(calls.slice(1)).toEqual(["type ls\x1b[15~\x03", "type a\rb"]);
    expect(shown(program)).not.toContain("typing|");
    program.press("i");
    program.controller.paste("x".repeat(5000));
    expect(program.model.notice?.text).toContain("5000 characters are too many");
  });

  it("presses keys that are named, by a key and by a word, and offers those that are common", () => {
    const program = onScreen();
    const { calls, screens } = program.gateway;
    program.press("K");
    expect(program.model.prompt).toMatchObject({ type: "input", choices: ["ctrl-alt-delete", "alt-f4"] });
    program.press("c", "tab", "enter");
    program.press(":", ..."press alt-f4", "enter", "ctrl-]");
    expect(calls.slice(1)).toEqual(["press ctrl-alt-delete", "press alt-f4", "press ctrl-]"]);
    program.controller.typed("\x1d");
    screens.failure = new Error("there is no key");
    program.press(":", ..."press fly", "enter");
    expect(program.model.notice?.text).toBe("there is no key");
  });

  it("is saved as a picture", async () => {
    const program = onScreen();
    program.press("W");
    await eventually(() => expect(program.model.notice?.text).toBe("the picture is in /tmp/vm0.png"));
    program.gateway.screens.failure = new Error("the disk is full");
    program.press("W");
    await eventually(() => expect(program.model.notice?.text).toBe("no picture was taken: the disk is full"));
  });

  it("gives the whole terminal on F", () => {
    const program = onScreen();
    program.press("F");
    expect(program.done).toEqual([`screen ${name}`]);
  });
});
