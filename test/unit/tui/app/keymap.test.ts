import { describe, expect, it } from "vitest";
import { chordsOf, type KeyFacts } from "../../../../tui/kit/keys/chord.js";
import { completions, parseCommandLine } from "../../../../tui/app/command-line.js";
import { availableCommands, commands, findCommand, type KeyContext } from "../../../../tui/kit/keys/commands.js";
import { lookOf } from "../../../../tui/kinds/index.js";

const noKey: KeyFacts = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageUp: false,
  pageDown: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  tab: false,
  backspace: false,
  delete: false,
  ctrl: false,
  meta: false,
  shift: false,
};

const screens: readonly KeyContext["screen"][] = ["table", "detail", "diagnosis", "help"];
const kinds = ["hosts", "instances", "lans", "ports", "links", "operations", "events", "a2bs", undefined] as const;
const contexts = screens.flatMap((screen) => kinds.map((kind) => ({ screen, kind, readOnly: false })));

describe("keys", () => {
  it.each<readonly [string, Partial<KeyFacts>, readonly string[]]>([
    ["j", {}, ["j"]],
    ["G", { shift: true }, ["G"]],
    [" ", {}, ["space"]],
    ["d", { ctrl: true }, ["ctrl-d"]],
    ["", { upArrow: true }, ["up"]],
    ["", { delete: true }, ["backspace"]],
    ["", { tab: true, shift: true }, ["shift-tab"]],
    [":q\r", {}, [":", "q", "enter"]],
    ["a\x7f\x04", {}, ["a", "backspace", "ctrl-d"]],
    ["x", { meta: true }, ["esc", "x"]],
    ["", { meta: true, return: true }, ["esc", "enter"]],
    ["", { meta: true, upArrow: true }, ["up"]],
    ["[1;5P", { meta: true }, []],
    ["O", { meta: true }, []],
    ["漢", {}, ["漢"]],
  ])("%j with %j are %j", (input, key, chords) => {
    expect(chordsOf(input, { ...noKey, ...key })).toEqual(chords);
  });
});

describe("the key table", () => {
  it("binds no key twice on any screen", () => {
    for (const context of contexts) {
      const keys = availableCommands(context).flatMap((command) => command.keys);
      expect(keys).toEqual([...new Set(keys)]);
    }
  });

  it("binds no letter that sorts the table it is pressed on", () => {
    for (const context of contexts) {
      if (context.screen !== "table" || context.kind === undefined) continue;
      const letters = lookOf(context.kind).columns.flatMap((column) => column.sortLetter ?? []);
      expect(letters).toEqual([...new Set(letters)]);
      for (const letter of letters) expect(findCommand(letter, context)).toBeUndefined();
    }
  });

  it("binds nothing that changes anything in read-only mode", () => {
    const changing = commands.filter((command) => command.changes === true);
    expect(changing.map((command) => command.id)).toEqual(["start", "stop", "pause", "reset", "console", "delete"]);
    for (const context of contexts) {
      for (const key of changing.flatMap((command) => command.keys)) {
        expect(findCommand(key, { ...context, readOnly: true })).toBeUndefined();
      }
    }
  });

  it("marks everything that is dangerous as changing something", () => {
    const dangerous = commands.filter((command) => command.dangerous === true);
    expect(dangerous.map((command) => command.id)).toEqual(["stop", "reset", "delete"]);
    expect(dangerous.every((command) => command.changes === true)).toBe(true);
  });

  it("offers power keys for instances only, and deleting for what can be deleted", () => {
    const on = (kind: KeyContext["kind"]): KeyContext => ({ screen: "table", kind, readOnly: false });
    expect(findCommand("s", on("instances"))?.id).toBe("start");
    expect(findCommand("s", on("hosts"))).toBeUndefined();
    expect(findCommand("ctrl-d", on("links"))?.id).toBe("delete");
    expect(findCommand("ctrl-d", on("events"))).toBeUndefined();
    expect(findCommand("ctrl-d", on("ports"))).toBeUndefined();
  });
});

describe("the command line", () => {
  const hosts = ["alpha", "beta", "benny"];

  it.each([
    ["instances", { type: "table", kind: "instances", host: undefined, filter: "" }],
    ["vm alpha", { type: "table", kind: "instances", host: "alpha", filter: "" }],
    ["a2bs beta", { type: "table", kind: "a2bs", host: "beta", filter: "" }],
    ["links /state=down", { type: "table", kind: "links", host: undefined, filter: "state=down" }],
    ["lans beta /mtu=9000 !x", { type: "table", kind: "lans", host: "beta", filter: "mtu=9000 !x" }],
    ["  q ", { type: "quit" }],
    ["describe alpha/vm1", { type: "describe", id: "alpha/vm1" }],
    ["resync", { type: "resync" }],
    ["help", { type: "help" }],
  ])("reads %j", (line, command) => {
    expect(parseCommandLine(line, hosts)).toEqual(command);
  });

  it.each([["fly"], ["instances nowhere"], ["describe"]])("says what is wrong with %j", (line) => {
    expect(parseCommandLine(line, hosts)).toMatchObject({ type: "unknown", message: expect.stringMatching(/\S/) });
  });

  it.each<readonly [string, readonly string[]]>([
    ["", []],
    ["l", ["lans", "links"]],
    ["instances", []],
    ["instances be", ["instances beta", "instances benny"]],
    ["describe al", []],
    ["q", ["quit"]],
  ])("completes %j to %j", (line, whole) => {
    expect(completions(line, hosts)).toEqual(whole);
  });
});
