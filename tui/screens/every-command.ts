import type { Command } from "../kit/keys/command.js";
import { everywhere, type PlacedCommand } from "../kit/keys/keymap.js";
import { pluralOf } from "../kit/kind-table.js";
import type { Screen } from "../kit/screen.js";
import { actionCommands, commandsEverywhere } from "./commands.js";
import { ConsoleScreen } from "./console/console-screen.js";
import { DetailScreen } from "./detail/detail-screen.js";
import { diagnosedKind, DiagnosisScreen } from "./diagnosis/diagnosis-screen.js";
import { type FrameList, FrameScreen } from "./frames/frame-screen.js";
import { FramesScreen } from "./frames/frames-screen.js";
import { HelpScreen } from "./help/help-screen.js";
import { LogScreen } from "./log/log-screen.js";
import { MachineScreen } from "./machine-screen/machine-screen.js";
import type { MachineView } from "./machine-screen/screen-opener.js";
import { MapScreen } from "./map/map-screen.js";
import { MenuScreen } from "./menu/menu-screen.js";
import { MessagesScreen } from "./messages/messages-screen.js";
import type { Program } from "./program.js";
import { PulseScreen } from "./pulse/pulse-screen.js";
import { Rollout } from "./rollout/rollout.js";
import { RolloutScreen } from "./rollout/rollout-screen.js";
import { TableScreen } from "./table/table-screen.js";
import { TreeScreen } from "./tree/tree-screen.js";
import { HistoryScreen } from "./usage/history-screen.js";
import { UsageScreen } from "./usage/usage-screen.js";
import { WaveScreen } from "./wave/wave-screen.js";
import { XrayTree } from "./xray/xray-tree.js";

/** Every screen there is, by where its keys are said to be. A new screen has its line here. */
const screens: readonly (readonly [place: string, make: (program: Program, kind: string) => Screen])[] = [
  ["in tables", (program, kind) => new TableScreen(program, kind)],
  ["in details", (program, kind) => new DetailScreen(program, program.model.kinds.get(kind), "")],
  ["on the map", (program) => new MapScreen(program)],
  ["in trees", (program) => new TreeScreen(program, new XrayTree(program.model.fleet, program.model.context))],
  ["in the pulse", (program) => new PulseScreen(program)],
  ["in logs", (program) => new LogScreen(program, [])],
  ["in consoles", (program) => new ConsoleScreen(program, false)],
  ["on screens of machines", (program, kind) => new MachineScreen(program, program.model.kinds.get(kind), "")],
  ["among frames", (program, kind) => new FramesScreen(program, program.model.kinds.get(kind), "")],
  ["in a frame", (program) => new FrameScreen(program, noFrames)],
  ["in use", (program) => new UsageScreen(program, "instances")],
  ["in histories", (program, kind) => new HistoryScreen(program, program.model.kinds.get(kind), "")],
  ["in a diagnosis", (program) => new DiagnosisScreen(program, "")],
  ["in a wave", (program) => new WaveScreen(program, "")],
  ["in a rollout", (program) => new RolloutScreen(program, new Rollout("upgrade", []))],
  ["in messages", (program) => new MessagesScreen(program)],
  ["in menus", (program) => new MenuScreen(program, { title: "", items: () => [] })],
  ["in the help", (program) => new HelpScreen(program, () => [])],
];

const noFrames: FrameList = { current: undefined, places: [], step: () => undefined };
const noScreen: MachineView = {
  picture: undefined,
  takeChanged: () => undefined,
  type: () => undefined,
  press: () => undefined,
};

/** Every command of the whole program as it is without a user's keys, with where it is bound; none of the screens asks for anything. */
export function everyCommand(program: Program): readonly PlacedCommand[] {
  const { kinds } = program.model;
  const place = (where: string, commands: readonly Command[]): readonly PlacedCommand[] =>
    commands.map((command) => ({ place: where, command }));
  const quiet = silenced(program);
  const ofScreens = screens.flatMap(([where, make]) => {
    const screen = make(quiet, diagnosedKind);
    const found = place(where, screen.commands);
    screen.closed?.();
    return found;
  });
  const ofKinds = kinds.all.flatMap((kind) => place(`on ${pluralOf(kind)}`, actionCommands(program, kind)));
  return [...place(everywhere, commandsEverywhere(program)), ...ofScreens, ...ofKinds];
}

/** A program that asks nothing of anybody: screens that begin to read when they are made read nothing. */
function silenced(program: Program): Program {
  return {
    ...program,
    signal: AbortSignal.abort(),
    followLog: nothing,
    diagnose: nothing,
    screens: { ...program.screens, open: () => noScreen },
    frames: { ...program.frames, watch: async () => "" },
    waves: { ...program.waves, watch: async () => undefined },
    figures: {
      watch: async () => undefined,
      watchRanked: async () => undefined,
      watchBusiest: async () => undefined,
      readHistory: async () => [],
    },
  };
}

async function* nothing(): AsyncGenerator<never> {
  // There is nothing to tell.
}
