import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { hintLine } from "../../../../tui/app/footer.js";
import { keyFaults, keymapText } from "../../../../tui/app/keymap-text.js";
import { commandId } from "../../../../tui/kit/keys/command.js";
import { whyNoKey } from "../../../../tui/kit/keys/keymap.js";
import { everyCommand } from "../../../../tui/screens/every-command.js";
import { Settings } from "../../../../tui/settings/settings.js";
import { makeProgram, type TestProgram, tableOf, textOf } from "../program.js";
import { feedFleet } from "../steps.js";

async function withFiles(
  files: Readonly<Record<string, string>>,
): Promise<TestProgram & { faults: readonly string[] }> {
  const directory = await mkdtemp(join(tmpdir(), "zt-keys-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const settings = new Settings(directory);
  const faults = await settings.look();
  const made = makeProgram({}, undefined, settings);
  feedFleet(made.model, { hosts: 2, instancesPerHost: 2, nowMs: made.model.nowMs });
  made.press("2");
  return { ...made, faults };
}

describe("the file of keys", () => {
  it("binds other keys, which footer, help and what is printed show", async () => {
    const made = await withFiles({ "keys.yaml": 'details: ["~", ctrl-o]\ninstance.pause: "%"\nuse: []\n' });
    const { model, controller, program, gateway, press } = made;
    expect(made.faults).toEqual([]);
    expect(await keyFaults(program)).toEqual([]);
    press("d", "u");
    expect(model.screens).toHaveLength(1);
    const hints = hintLine(model, controller.commands, 200)
      .map(({ text }) => text)
      .join("");
    expect(hints).toContain("~ describe");
    press("ctrl-o");
    expect(model.screen.title()).toContain("alpha/vm0");
    press("esc", "%");
    await expect.poll(() => gateway.calls).toEqual(["pause hosts/alpha/instances/vm0"]);
    press("?");
    expect(textOf(model.screen, 120, 400).join("\n")).toMatch(/~ \^o +describe/);
    expect(keymapText(program)).toMatch(/^details: \["~", ctrl-o\]/m);
  });

  it("says what it cannot mean, with file, line and what to do, and the user's key wins", async () => {
    const { program, model, press } = await withFiles({
      "keys.yaml": "\ndetials: [x]\ndetails: [s]\n",
      "hotkeys.yaml": "l: hosts\n",
    });
    const faults = await keyFaults(program);
    expect(faults).toContainEqual(
      expect.stringMatching(/keys\.yaml:2:\d+ detials: there is no command "detials"; did you mean details\?/),
    );
    expect(faults).toContainEqual(
      expect.stringMatching(/keys\.yaml:3:\d+ details: s is bound to instance\.start as well/),
    );
    expect(faults).toContainEqual(expect.stringMatching(/hotkeys\.yaml:1:\d+ l: l is bound to log as well/));
    press("s");
    expect(model.screen.title()).toContain("alpha/vm0");
    press("l");
    expect(tableOf(model).kind.kind).toBe("host");
  });

  it.each([
    ["keys.yaml", "details: ctrl-c\n", /keys\.yaml:1:\d+ details: ctrl-c ends or stops the program/],
    ["keys.yaml", "details: [d, f13]\n", /keys\.yaml:1:\d+ details.*: "f13" is no key/],
    ["keys.yaml", "details: 7\n", /keys\.yaml:1:\d+ details: must be a key or a list of keys/],
    ["hotkeys.yaml", "ctrl-z: hosts\n", /hotkeys\.yaml:1:\d+ ctrl-z: .*ends or stops/],
    ["hotkeys.yaml", "ctrl-o: ''\n", /hotkeys\.yaml:1:\d+ ctrl-o: must not be empty/],
  ])("refuses in %s %j", async (file, text, fault) => {
    const { faults } = await withFiles({ [file]: text });
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  it("can be made of what is printed", () => {
    const { program } = makeProgram();
    const printed = parse(keymapText(program)) as Record<string, readonly string[]>;
    for (const { command } of everyCommand(program)) {
      if (commandId(command) !== "stop") expect(printed[commandId(command)]).toBeDefined();
      for (const key of command.keys.filter((each) => each !== "ctrl-z")) expect(whyNoKey(key)).toBeUndefined();
    }
  });
});

describe("hotkeys", () => {
  it("run a line of the command line from anywhere", async () => {
    const { model, press } = await withFiles({ "hotkeys.yaml": "ctrl-o: instances beta /state=running\n" });
    press("1", "ctrl-o");
    expect(tableOf(model)).toMatchObject({ filterText: "state=running", scope: { host: "beta" } });
  });
});
