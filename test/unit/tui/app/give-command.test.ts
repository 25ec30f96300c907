import { describe, expect, it } from "vitest";
import type { Command } from "../../../../tui/kit/keys/command.js";
import type { Prompt } from "../../../../tui/kit/prompt.js";
import { everyCommand } from "../../../../tui/screens/every-command.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet } from "../steps.js";

function onHosts(readOnly = false): TestProgram & { line(text: string): void } {
  const made = makeProgram({ readOnly });
  feedFleet(made.model, { hosts: 2, instancesPerHost: 2, nowMs: made.model.nowMs });
  return { ...made, line: (text) => made.press(":", ...text, "enter") };
}

describe("a name behind a word of the command line", () => {
  it("is what the command is about, whatever is under the cursor", () => {
    const { line, model, program } = onHosts();
    expect(model.screen.subject()?.name).toBe("hosts/alpha");
    line("shell beta");
    expect(program.consoles.all.map(({ place }) => place.name)).toEqual(["hosts/beta"]);
  });

  it("leads to an instance from a table of hosts", () => {
    const { line, done } = onHosts();
    line("ssh beta/vm0");
    expect(done.join()).toBe("ssh hosts/beta/instances/vm0");
  });

  it("goes nowhere else where the command is about what is in view already", () => {
    const { line, model, press } = onHosts();
    press("d");
    const { screen } = model;
    line("log alpha");
    press("esc");
    expect(model.screen).toBe(screen);
    press("esc");
    expect(model.screens).toHaveLength(1);
  });

  it("that there is not changes nothing, and opens nothing", () => {
    const { line, model, program } = onHosts();
    const { screen } = model;
    line("shell gamma");
    expect([model.screen, program.consoles.all]).toEqual([screen, []]);
    expect(model.notice?.text).toContain('there is no "gamma"');
  });

  it("of a kind that the command is not for is said, and the screen stays", () => {
    const { line, model, program } = onHosts();
    const { screen } = model;
    line("shell alpha/vm0");
    expect([model.screen, program.consoles.all]).toEqual([screen, []]);
    expect(model.notice?.text).toBe(
      "shell is nothing for alpha/vm0: a shell on the host, where its own settings allow that",
    );
  });

  it("is refused where a word takes none", () => {
    const { line, model, done } = onHosts();
    line("quit alpha");
    expect(done).toEqual([]);
    expect(model.notice?.text).toContain("quit takes nothing behind it");
  });

  it("is completed", () => {
    const { press, controller } = onHosts();
    press(":", ..."shell be");
    expect(controller.completions().lines).toContain("shell beta");
    press("ctrl-u", ..."describe alpha/vm");
    expect(controller.completions().lines).toEqual(["describe alpha/vm0", "describe alpha/vm1"]);
  });
});

describe("a word of the command line", () => {
  it("does nothing where its key does nothing", () => {
    const { line, model, program } = onHosts();
    line("instances");
    line("shell");
    expect(program.consoles.all).toEqual([]);
    expect(model.notice?.text).toMatch(/^shell is nothing here: a shell on the host/);
  });
});

describe("a command that asks for a text", () => {
  const { program, model } = makeProgram();
  feedFleet(model, { hosts: 2, instancesPerHost: 2, nowMs: model.nowMs });
  const asks = (command: Command, argument: string): boolean => {
    model.prompt = undefined;
    command.run({ chord: "", argument });
    return asksText(model.prompt);
  };
  const asking = everyCommand(program).filter(
    ({ command }) => command.keys.includes("/") || command.argument !== undefined,
  );

  it("is known to everybody who tells what may follow its word", () => {
    const silent = everyCommand(program).filter(
      ({ command }) =>
        command.argument === undefined && command.ofRow !== true && command.group === "Look" && asks(command, ""),
    );
    expect(silent.map(({ place, command }) => `${place}: ${command.title}`)).toEqual([]);
  });

  it.each(asking.filter(({ command }) => command.keys.includes("/")))(
    "asks nothing $place where the text is given",
    ({ command }) => {
      expect(asks(command, "")).toBe(true);
      expect(asks(command, "vm")).toBe(false);
    },
  );
});

/** The prompt may have been opened by what was run. */
function asksText(prompt: Prompt | undefined): boolean {
  return prompt?.type === "filter" || prompt?.type === "input";
}

describe("what may follow a word", () => {
  /** Paths, addresses, ports and filters of tcpdump: nobody knows which. */
  const anything = new Set(["install", "forward", "save", "only"]);

  it("is completed, unless it may be anything", () => {
    const { program } = makeProgram();
    const silent = everyCommand(program).filter(
      ({ command: { words, argument, choices } }) =>
        words !== undefined && argument !== undefined && choices === undefined,
    );
    expect(silent.map(({ command: { words } }) => words?.[0]).filter((word) => !anything.has(word ?? ""))).toEqual([]);
  });

  it.each([
    ["new la", "new lan"],
    ["mouse o", "mouse off"],
    ["upgrade alpha be", "upgrade alpha beta"],
    ["serial ttyS", "serial ttyS1"],
    ["events-of 1", "events-of 10m"],
  ])("%j becomes %j", (typed, whole) => {
    const { press, controller } = onHosts();
    press(":", ...typed);
    expect(controller.completions().lines).toContain(whole);
  });

  it("of events is a time, from wherever that is said", () => {
    const { line, model } = onHosts();
    line("hosts /alpha");
    line("events-of 10m");
    expect(model.screen.title()).toBe("events(10m)");
  });
});

describe("a key that can do nothing now", () => {
  it.each([
    ["space", "on a table without rows", "nats", "nothing to mark here"],
    ["E", "on a table without rows", "nats", "nothing to edit here"],
    ["C", "on a table without rows", "nats", "nothing to clone here"],
    ["W", "on a table without rows", "taps", "nothing to draw a cable from here"],
    ["enter", "in a menu of nothing", "view", "nothing to choose here"],
    ["ctrl-n", "on a field that is no list", "new lan", "this is no list, which could have one more"],
  ])("says so: %s %s", async (key, _where, typed, said) => {
    const { line, press, model } = onHosts();
    const { screen } = model;
    line(typed);
    await expect.poll(() => model.screen).not.toBe(screen);
    press(key);
    expect(model.notice?.text).toBe(said);
  });
});

describe("a key that acts on what is under the cursor", () => {
  it.each(tuiKinds.map(({ kind }) => kind))("says that there is nothing on an empty table of %ss", (kind) => {
    const open = (): TestProgram => {
      const made = makeProgram();
      made.model.openOnly(new TableScreen(made.program, kind));
      return made;
    };
    const silent = open()
      // A new one needs nothing that is there.
      .controller.commands.filter(({ group, keys: [key] }) => group === "Act" && key !== undefined && key !== "n")
      .filter(({ keys: [chord = ""] }) => {
        const { press, model, done, gateway } = open();
        const { screen } = model;
        press(chord);
        const { notice, prompt } = model;
        return (
          notice === undefined &&
          prompt === undefined &&
          model.screen === screen &&
          done.length + gateway.calls.length === 0
        );
      });
    expect(silent.map(({ keys, title }) => `${keys[0] ?? ""}: ${title}`)).toEqual([]);
  });
});
