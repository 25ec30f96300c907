import { messageOf } from "../../lib/errors.js";
import { measuredKinds } from "../../lib/figures/subject-kind.js";
import type { Action } from "../kit/action.js";
import type { Command, Hint } from "../kit/keys/command.js";
import { hotkeyCommands, withKeymap } from "../kit/keys/keymap.js";
import type { TuiKind } from "../kit/kind.js";
import { pluralOf } from "../kit/kind-table.js";
import type { Model } from "../kit/model.js";
import { shortName } from "../kit/resource-name.js";
import type { Row } from "../kit/row.js";
import { targetsOf } from "../kit/screen.js";
import { topViews } from "../kit/top/views.js";
import { capturedKinds } from "./captures.js";
import { openingConsoles } from "./console/opening-consoles.js";
import { deskCommands } from "./desk-commands.js";
import { showDetails, showNamed } from "./detail/detail-screen.js";
import { DiagnosisScreen, diagnosedKind } from "./diagnosis/diagnosis-screen.js";
import { formCommands } from "./form/commands.js";
import { frameCommands } from "./frames/frame-commands.js";
import { HelpScreen } from "./help/help-screen.js";
import { lookCommands } from "./look-commands.js";
import { showMachineScreen } from "./machine-screen/machine-screen.js";
import { cableCommands } from "./map/cable-commands.js";
import { MapScreen, showMap } from "./map/map-screen.js";
import { mouseCommand } from "./mouse-commands.js";
import { namesFrom } from "./named-rows.js";
import type { Program } from "./program.js";
import { reachBack } from "./reach-back.js";
import { rowHere } from "./row-here.js";
import { TableScreen } from "./table/table-screen.js";
import { HistoryScreen } from "./usage/history-screen.js";
import { UsageScreen } from "./usage/usage-screen.js";
import { waveCommands } from "./wave/wave-commands.js";

/**
 * The commands that are bound on every screen. One more is one more entry here, or in the folder of its screen or kind when it
 * belongs to one.
 */
export function commandsEverywhere(program: Program): readonly Command[] {
  const { model } = program;
  const kind = (): TuiKind | undefined => model.screen.kind;
  const hasKind = () => kind() !== undefined;
  return [
    {
      id: "diagnose",
      keys: ["D"],
      title: "diagnose a link: test each hop, say which is broken",
      group: "Look",
      hint: { word: "diagnose", rank: 4 },
      when: () => kind()?.kind === diagnosedKind,
      run: () => {
        const row = model.screen.subject();
        if (row !== undefined) model.push(new DiagnosisScreen(program, row.name));
      },
    },
    {
      id: "command-line",
      keys: [":"],
      title: "command line; tab completes",
      group: "Look",
      hint: { word: "command", rank: 5 },
      run: () => {
        model.prompt = { type: "command", text: "" };
      },
    },
    tableKeys(program),
    ...formCommands(program),
    ...cableCommands(program),
    mouseCommand(program),
    {
      id: "details",
      keys: ["d"],
      title: "describe what is under the cursor",
      group: "Look",
      hint: { word: "describe", rank: 10 },
      when: hasKind,
      run: () => showDetails(program, false),
    },
    {
      keys: [],
      words: ["describe"],
      argument: "NAME",
      choices: (typed) => namesFrom(model, typed),
      title: "details: alpha, alpha/vm1, demo",
      group: "Look",
      run: ({ argument }) => {
        if (argument === "") model.say("describe what? For example :describe alpha/vm1", "warn");
        else showNamed(program, argument);
      },
    },
    {
      id: "yaml",
      keys: ["y"],
      title: "the same as YAML",
      group: "Look",
      when: hasKind,
      run: () => showDetails(program, true),
    },
    {
      id: "events",
      keys: ["e"],
      title: "events of what is under the cursor",
      group: "Look",
      hint: { word: "events", rank: 11 },
      when: () => model.kinds.log !== undefined && (kind()?.actions.length ?? 0) > 0,
      run: () => showEvents(program),
    },
    {
      id: "older",
      keys: ["<"],
      words: ["older"],
      title: "reach back: older events than those that are shown",
      group: "Look",
      hint: { word: "older", rank: 6 },
      when: () => kind()?.log !== undefined,
      run: () => void reachBack(program),
    },
    ...openingConsoles(program),
    ...waveCommands(program),
    ...frameCommands(program),
    {
      id: "capture",
      keys: ["f"],
      words: ["capture"],
      ofRow: true,
      title: "capture the frames of what is under the cursor into a file here; again: stop",
      group: "Look",
      when: () => capturedKinds.has(kind()?.kind ?? ""),
      run: () => {
        const row = rowHere(model, "capture");
        if (row !== undefined) program.captures.toggle(row.name);
      },
    },
    {
      id: "use",
      keys: ["u"],
      words: ["top", "use"],
      argument: "[KIND]",
      title: "what is used now, the most first: processors, memory, disks, traffic",
      group: "Look",
      choices: () => topViews.map(({ word }) => word),
      run: ({ argument }) => showUsage(program, argument),
    },
    {
      id: "map",
      keys: ["b"],
      words: ["map"],
      ofRow: true,
      title: "the big picture: a map of hosts, lans and cables",
      group: "Look",
      hint: { word: "map", rank: 14 },
      when: () => !(model.screen instanceof MapScreen),
      whyNot: "this is the map",
      run: () => showMap(program),
    },
    ...lookCommands(program),
    ...deskCommands(program),
    {
      id: "history",
      keys: ["h"],
      words: ["history", "charts"],
      ofRow: true,
      title: "what the thing under the cursor used lately, in charts",
      group: "Look",
      when: () => isMeasured(kind()?.kind),
      run: () => {
        const [row, of] = [rowHere(model, "draw the history of"), kind()];
        if (row !== undefined && of !== undefined) model.push(new HistoryScreen(program, of, row.name));
      },
    },
    {
      id: "screen",
      keys: ["w"],
      words: ["screen"],
      ofRow: true,
      title: "the screen of a machine in half blocks, and its keyboard",
      group: "Act",
      hint: { word: "view", rank: 12 },
      changes: true,
      when: () => {
        const row = model.screen.subject();
        return row !== undefined && kind()?.hasScreen?.(row.resource) === true;
      },
      run: () => showMachineScreen(program),
    },
    {
      id: "ssh",
      keys: ["t"],
      words: ["ssh"],
      ofRow: true,
      title: "log in by ssh, without an address; its end comes back",
      group: "Act",
      hint: { word: "ssh", rank: 13 },
      changes: true,
      when: () => kind()?.hasLogin === true,
      run: () => logIn(program),
    },
    {
      id: "help",
      keys: ["?"],
      words: ["help", "?", "keys", "aliases", "hotkeys", "plugins"],
      title: "this help",
      group: "Program",
      hint: { word: "help", rank: 0, when: () => !(model.screen instanceof HelpScreen) },
      run: () => {
        if (!(model.screen instanceof HelpScreen)) model.push(new HelpScreen(program, () => allCommands(program)));
      },
    },
    {
      id: "resync",
      keys: ["ctrl-r"],
      words: ["resync"],
      title: "read everything from the hub again",
      group: "Program",
      run: () => {
        program.resync();
        model.say("reading everything from the hub again");
      },
    },
    { id: "redraw", keys: ["ctrl-l"], title: "draw the screen again", group: "Program", run: () => program.redraw() },
    {
      id: "stop",
      keys: ["ctrl-z"],
      title: "back to the shell; fg comes back here",
      group: "Program",
      run: () => program.stop(),
    },
    {
      id: "close",
      keys: ["q"],
      title: "close this screen; quits on the first",
      group: "Program",
      run: () => {
        if (!model.pop()) program.quit();
      },
    },
    {
      keys: [],
      words: ["quit", "q", "exit"],
      title: "quit, as ctrl-c twice does",
      group: "Program",
      run: () => program.quit(),
    },
  ];
}

/** The commands that ask for what can be asked of a kind. */
export function actionCommands({ model, requests }: Program, kind: TuiKind): readonly Command[] {
  return kind.actions
    .filter(({ keys }) => keys.length > 0)
    .map((action: Action) => ({
      id: `${kind.kind}.${action.verb}`,
      keys: action.keys,
      title: action.title,
      group: "Act",
      ...(action.hint === undefined ? {} : { hint: actionHint(model, kind, { ...action, hint: action.hint }) }),
      changes: true,
      dangerous: action.dangerous === true,
      when: () => model.screen.kind === kind,
      run: () => requests.ask(kind, action, targetsOf(model.screen)),
    }));
}

/** So many marked rows are looked at before a hint is shown whatever the others are. */
const mostLooked = 50;

/** What stands in the footer for an action: what would be done, where there is anything that it can be done to. */
function actionHint(model: Model, kind: TuiKind, action: Action & { readonly hint: string }): Hint {
  const meant = (rows: readonly Row[]): Action =>
    kind.actions.find(({ verb }) => verb === action.instead?.(rows)) ?? action;
  return {
    word: action.hint,
    // What takes something away for good stands last.
    rank: action.verb === "delete" ? 8 : 6,
    shown: () => {
      const rows = targetsOf(model.screen);
      return rows.length === 0 || rows.length > mostLooked || meant(rows) === action ? action.hint : meant(rows).verb;
    },
    when: () => {
      const rows = targetsOf(model.screen);
      if (rows.length === 0 || rows.length > mostLooked) return true;
      const done = meant(rows);
      return rows.some((row) => done.whyNot?.(row, model.fleet) === undefined);
    },
  };
}

/**
 * The commands of the screen that is open, then those of its kind, then those that are bound everywhere; what the user has bound comes
 * before all others.
 */
export function commandsHere(program: Program): readonly Command[] {
  const { screen } = program.model;
  const actions = screen.kind === undefined ? [] : actionCommands(program, screen.kind);
  return withUserKeys(program, [...screen.commands, ...actions, ...commandsEverywhere(program)]);
}

function withUserKeys(program: Program, commands: readonly Command[]): readonly Command[] {
  const { keys, hotkeys } = program.settings.values;
  return [...hotkeyCommands(hotkeys, (line) => program.run(line)), ...withKeymap(commands, keys)];
}

/** Every command there is, those of the open screens first; what a screen binds in the place of one bound everywhere is left out. */
export function allCommands(program: Program): readonly Command[] {
  const { screens, kinds } = program.model;
  const everywhere = withUserKeys(program, commandsEverywhere(program));
  const taken = new Set(everywhere.flatMap(({ keys }) => keys));
  const others = withKeymap(
    [...screens.flatMap((screen) => screen.commands), ...kinds.all.flatMap((kind) => actionCommands(program, kind))],
    program.settings.values.keys,
  ).filter(({ keys: [key] }) => {
    if (key === undefined) return true;
    if (taken.has(key)) return false;
    taken.add(key);
    return true;
  });
  return [...others, ...everywhere];
}

/** A digit for each of the first kinds. */
function tableKeys(program: Program): Command {
  const { model } = program;
  const kinds = model.kinds.all.slice(0, 9);
  return {
    id: "tables",
    keys: kinds.map((_, index) => `${index + 1}`),
    title: kinds.map(pluralOf).join(", "),
    group: "Look",
    run: ({ chord }) => {
      const kind = kinds[Number(chord) - 1];
      if (kind !== undefined) model.openOnly(new TableScreen(program, kind.kind));
    },
  };
}

function isMeasured(kind: string | undefined): boolean {
  return measuredKinds.some((measured) => measured === kind);
}

function showUsage(program: Program, wanted: string): void {
  const { model } = program;
  if (model.screen instanceof UsageScreen && wanted === "") return;
  const kind = model.screen.kind?.kind ?? "";
  const word = wanted !== "" ? wanted : isMeasured(kind) ? `${kind}s` : "instances";
  if (topViews.some((view) => view.word === word)) model.push(new UsageScreen(program, word));
  else model.say(`"${word}" are not measured: ${topViews.map((view) => view.word).join(", ")} are`, "warn");
}

function showEvents(program: Program): void {
  const { model } = program;
  const row = rowHere(model, "tell the events of");
  const { log } = model.kinds;
  if (row === undefined || log === undefined) return;
  model.push(new TableScreen(program, log.kind, { title: shortName(row.name), about: row.name }));
}

function logIn(program: Program): void {
  const { model } = program;
  const row = rowHere(model, "log in to");
  if (row === undefined) return;
  program.giveTerminal("ssh", row.name).catch((error: unknown) => {
    model.complain("tui.ssh_failed", row.name, `ssh of ${shortName(row.name)}: ${messageOf(error)}`);
    model.changed();
  });
}
