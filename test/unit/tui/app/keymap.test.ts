import { describe, expect, it } from "vitest";
import { completions, parseCommandLine } from "../../../../tui/app/command-line.js";
import { hintLine } from "../../../../tui/app/footer.js";
import { chordsOf, type KeyFacts } from "../../../../tui/kit/keys/chord.js";
import { type Command, keyName } from "../../../../tui/kit/keys/command.js";
import { pluralOf } from "../../../../tui/kit/kind-table.js";
import { allCommands } from "../../../../tui/screens/commands.js";
import { ConsoleScreen } from "../../../../tui/screens/console/console-screen.js";
import { DetailScreen } from "../../../../tui/screens/detail/detail-screen.js";
import { DiagnosisScreen } from "../../../../tui/screens/diagnosis/diagnosis-screen.js";
import { MapScreen } from "../../../../tui/screens/map/map-screen.js";
import type { Program } from "../../../../tui/screens/program.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { makeProgram, tableOf } from "../program.js";
import { feedFleet } from "../steps.js";

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

/** The table of a kind, of a lan's ports too. */
function tableScreen(program: Program, kind: string): TableScreen {
  const partOf = { kind: "lan", name: "hosts/x/lans/x" };
  return new TableScreen(program, kind, kind === "port" ? { title: "x", partOf } : undefined);
}

/** A program on each screen there is, for each kind there is. */
function everywhere(readOnly = false) {
  const kinds = [...makeProgram().model.kinds.all.map(({ kind }) => kind), "port"];
  return kinds.flatMap((kind) =>
    (["table", "detail", "diagnosis", "help", "map", "pulse", "consoles"] as const).map((screen) => {
      const made = makeProgram({ readOnly });
      const { model, program } = made;
      model.openOnly(tableScreen(program, kind));
      if (screen === "detail") model.push(new DetailScreen(program, model.kinds.get(kind), `${kind}s/x`));
      if (screen === "diagnosis") model.push(new DiagnosisScreen(program, "links/x"));
      if (screen === "help") made.press("?");
      if (screen === "pulse") made.press("0");
      if (screen === "consoles") {
        program.consoles.show({ name: "hosts/alpha/instances/vm0", port: 0, readOnly: true });
        program.consoles.show({ name: "hosts/alpha/instances/vm1", port: 0, readOnly: true });
        model.push(new ConsoleScreen(program, false));
      }
      if (screen === "map") {
        feedFleet(model, { hosts: 1, instancesPerHost: 1, nowMs: model.nowMs });
        model.push(new MapScreen(program, "hosts/alpha/instances/vm0"));
      }
      return { ...made, kind, screen };
    }),
  );
}

function findCommand(
  chord: string,
  { controller }: { readonly controller: { readonly commands: readonly Command[] } },
) {
  return controller.commands.find(({ keys }) => keys.includes(chord));
}

function on(kind: string) {
  const made = makeProgram();
  made.model.openOnly(tableScreen(made.program, kind));
  return made;
}

/** Every command of the program. */
const commands = allCommands(makeProgram().program);

describe("n in the footer", () => {
  it("stands there only where n alone opens a form", () => {
    const shown = everywhere().map(({ model, controller, press, kind, screen }) => {
      const footer = hintLine(model, controller.commands, 400)
        .map(({ text }) => text)
        .join("");
      const isShown = / n new /.test(`${footer} `);
      // What a console or a diagnosis is of need not be there.
      const { screen: before } = model;
      if (isShown) press("n");
      const isForm = model.screen !== before || model.notice?.text.includes(":new KIND") !== true;
      expect({ kind, screen, isShown, isForm }).toMatchObject({ isForm: true });
      return isShown ? [`${kind} ${screen}`] : [];
    });
    expect(shown.flat()).toEqual(expect.arrayContaining(["instance table", "lan table", "link detail"]));
    expect(
      shown.flat().filter((each) => /^(?:event|operation|session|image) (?:table|detail)| pulse$/.test(each)),
    ).toEqual([]);
  });
});

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
    for (const { controller } of everywhere()) {
      const keys = controller.commands.flatMap((command) => command.keys);
      expect(keys).toEqual([...new Set(keys)]);
    }
  });

  it("binds no letter that sorts the table it is pressed on", () => {
    for (const here of everywhere()) {
      if (here.screen !== "table") continue;
      const letters = tableOf(here.model).columns.flatMap((column) => column.sortLetter ?? []);
      expect(letters).toEqual([...new Set(letters)]);
      for (const letter of letters) expect(findCommand(letter, here)).toBeUndefined();
    }
  });

  it("binds nothing that changes anything in read-only mode", () => {
    const changing = commands.filter((command) => command.changes === true);
    expect(changing.flatMap((command) => command.keys[0] ?? []).sort()).toEqual([
      "+",
      "C",
      "E",
      "K",
      "O",
      "P",
      "W",
      "Z",
      "a",
      "c",
      "c",
      "ctrl-d",
      "ctrl-u",
      "m",
      "n",
      "p",
      "r",
      "s",
      "t",
      "v",
      "w",
      "x",
      "z",
    ]);
    for (const here of everywhere(true)) {
      for (const key of changing.flatMap((command) => command.keys))
        expect(findCommand(key, here)?.changes ?? false).toBe(false);
    }
  });

  it("marks everything that is dangerous as changing something", () => {
    const dangerous = commands.filter((command) => command.dangerous === true);
    expect(dangerous.map((command) => command.keys[0]).sort()).toEqual(["Z", "ctrl-d", "r", "x"]);
    expect(dangerous.every((command) => command.changes === true)).toBe(true);
  });

  it("offers power keys for instances only, and deleting for what can be deleted", () => {
    expect(findCommand("s", on("instance"))?.title).toBe("start");
    expect(findCommand("s", on("host"))).toBeUndefined();
    expect(findCommand("ctrl-d", on("link"))?.title).toMatch(/^delete/);
    expect(findCommand("ctrl-d", on("event"))).toBeUndefined();
    expect(findCommand("ctrl-d", on("port"))).toBeUndefined();
  });

  it("does what an entry says by key and by word", () => {
    const { model, done, press } = makeProgram();
    press("ctrl-r", ":", ..."resync", "enter");
    expect(done).toEqual(["resync", "resync"]);
    press("?");
    expect(model.screen.title()).toBe("help");
    press("esc", ":", ..."help", "enter");
    expect(model.screen.title()).toBe("help");
    press(":", ..."quit", "enter");
    expect(done).toEqual(["resync", "resync", "quit"]);
  });

  it("knows its words on every screen", () => {
    for (const { model, press, done } of everywhere()) {
      press("esc", "esc", "d", ":", ..."describe", "enter");
      expect(model.notice?.text).toContain("describe what?");
      press(":", ..."q", "enter");
      expect(done).toEqual(["quit"]);
    }
  });

  it("has every key in the help, and every word", () => {
    const { model, press } = makeProgram();
    press("?");
    const text = model.screen
      .draw(200, 200)
      .lines.map(({ line }) => line.map((part) => part.text).join(""))
      .join("\n");
    for (const { keys, words, title } of commands) {
      if (keys.length > 0 && keys.length <= 3) expect(text).toContain(`${keys.map(keyName).join(" ")} `);
      if (words !== undefined) expect(text).toContain(`:${words[0]}`);
      expect(text).toContain(title);
    }
  });
});

describe("the command line", () => {
  const { kinds } = makeProgram().model;
  const vocabulary = { kinds, commands, hosts: ["alpha", "beta", "benny"] };

  it.each([
    ["instances", { table: "instances", host: undefined, filter: "" }],
    ["vm alpha", { table: "instances", host: "alpha", filter: "" }],
    ["a2bs beta", { table: "a2bs", host: "beta", filter: "" }],
    ["box", { table: "a2bs", host: undefined, filter: "" }],
    ["links /state=down", { table: "links", host: undefined, filter: "state=down" }],
    ["lans beta /mtu=9000 !x", { table: "lans", host: "beta", filter: "mtu=9000 !x" }],
    ["  q ", { word: "quit", argument: "" }],
    ["describe alpha/vm1", { word: "describe", argument: "alpha/vm1" }],
    ["resync", { word: "resync", argument: "" }],
    ["help", { word: "help", argument: "" }],
    ["views", { word: "view", argument: "" }],
    ["skins dark", { word: "skin", argument: "dark" }],
    ["contexts", { word: "ctx", argument: "" }],
    ["Pulses", { word: "pulse", argument: "" }],
    ["message", { word: "messages", argument: "" }],
    ["ports", { word: "xray", argument: "" }],
    ["port", { word: "xray", argument: "" }],
    ["captures", { word: "frames", argument: "" }],
    ["plugins", { word: "help", argument: "" }],
    ["waves", { word: "waves", argument: "" }],
    ["Instances", { table: "instances", host: undefined, filter: "" }],
  ])("reads %j", (line, meaning) => {
    const typed = parseCommandLine(line, vocabulary);
    if (typed.type === "unknown") throw new Error(typed.message);
    const read =
      typed.type === "table"
        ? { table: pluralOf(typed.kind), host: typed.host, filter: typed.filter }
        : { word: typed.command.words?.[0], argument: typed.argument };
    expect(read).toEqual(meaning);
  });

  it.each([["fly"], ["instances nowhere"]])("says what is wrong with %j", (line) => {
    const message: unknown = expect.stringMatching(/\S/);
    expect(parseCommandLine(line, vocabulary)).toMatchObject({ type: "unknown", message });
  });

  it.each([
    ["describ alpha", 'there is no command "describ"; did you mean describe?'],
    // What changes something is begun by its own word only.
    ["cables a b", 'there is no command "cables"; did you mean cable?'],
    ["instaces", 'there is no command "instaces"; did you mean instances?'],
    ["xyzzy", 'there is no command "xyzzy"; tab completes what there is, ? shows it'],
    ["instances alpa", 'there is no host "alpa"; did you mean alpha?'],
  ])("says what %j may have meant", (line, message) => {
    expect(parseCommandLine(line, vocabulary)).toEqual({ type: "unknown", message });
  });

  it("says what is wrong with a describe of nothing", () => {
    const { model, press } = makeProgram();
    press(":", ..."describe", "enter");
    expect(model.notice).toMatchObject({ tone: "warn", text: expect.stringContaining("describe what?") });
  });

  it("says that there is nothing to do it to, instead of nothing", () => {
    const { model, press } = makeProgram();
    const said = () => model.notice?.text;
    for (const [table, word] of [
      ["instances", "log"],
      ["instances", "history"],
      ["instances", "charts"],
      ["instances", "capture"],
      ["hosts", "shell"],
      ["snapshots", "tree"],
    ] as const) {
      press(":", ...table, "enter");
      model.notice = undefined;
      press(":", ...word, "enter");
      expect(said(), word).toMatch(/^nothing to .* here$/);
    }
  });

  it.each<readonly [string, readonly string[]]>([
    ["", []],
    ["la", ["lans", "last"]],
    ["instances", []],
    ["instances be", ["instances beta", "instances benny"]],
    ["describe al", []],
    ["q", ["quit"]],
  ])("completes %j to %j", (line, whole) => {
    expect(completions(line, vocabulary)).toEqual(whole);
  });
});
