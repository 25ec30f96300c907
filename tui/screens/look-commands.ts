import type { Command } from "../kit/keys/command.js";
import type { TuiKind } from "../kit/kind.js";
import { targetsOf } from "../kit/screen.js";
import { eventCommands } from "./events/event-commands.js";
import { LogScreen, loggedKinds } from "./log/log-screen.js";
import type { Program } from "./program.js";
import { PulseScreen } from "./pulse/pulse-screen.js";
import { rolloutCommands } from "./rollout/rollout-commands.js";
import { rowHere } from "./row-here.js";
import { instanceOf, kindsWithSnapshots, SnapshotTree } from "./snapshots/snapshot-tree.js";
import { TreeScreen } from "./tree/tree-screen.js";
import { waysCommands } from "./ways/ways-commands.js";
import { XrayTree } from "./xray/xray-tree.js";

/** The commands, bound on every screen, that open screens about many things at once. */
export function lookCommands(program: Program): readonly Command[] {
  const { model } = program;
  const kind = (): TuiKind | undefined => model.screen.kind;
  return [
    ...eventCommands(program),
    ...waysCommands(program),
    ...rolloutCommands(program),
    {
      keys: ["0"],
      words: ["pulse"],
      title: "how the fleet is: what is wrong now and why, what happens, who uses the most",
      group: "Look",
      hint: { word: "pulse", rank: 15 },
      when: () => !(model.screen instanceof PulseScreen),
      whyNot: "this is the pulse",
      run: () => model.push(new PulseScreen(program)),
    },
    {
      keys: ["ctrl-x"],
      words: ["xray", "ports"],
      ofRow: true,
      title: "the fleet as a tree: hosts, lans, what is plugged into them, and what that has",
      group: "Look",
      hint: { word: "xray", rank: 16 },
      run: () => showXray(program),
    },
    {
      keys: ["ctrl-t"],
      words: ["tree"],
      ofRow: true,
      title: "the snapshots of an instance as a tree: which came from which, and where it is now",
      group: "Look",
      when: () => kindsWithSnapshots.has(kind()?.kind ?? ""),
      run: () => {
        const row = rowHere(model, "show the snapshots of");
        if (row === undefined) return;
        const source = new SnapshotTree(model.fleet, instanceOf(row));
        model.push(new TreeScreen(program, source, row.name));
      },
    },
    {
      keys: ["l"],
      words: ["log"],
      ofRow: true,
      title: "follow the log: what instances say on their consoles, or hosts' agents; of all that are marked together",
      group: "Look",
      when: () => loggedKinds.has(kind()?.kind ?? "") && !(model.screen instanceof LogScreen),
      run: () => {
        const names = targetsOf(model.screen).map(({ name }) => name);
        if (names.length > 0) model.push(new LogScreen(program, names));
        else rowHere(model, "follow the log of");
      },
    },
    {
      keys: [],
      words: ["hub-log"],
      title: "follow the log of the hub (admins)",
      group: "Look",
      run: () => model.push(new LogScreen(program, ["hub"])),
    },
    {
      keys: [],
      words: ["own-log"],
      title: "follow the log of this program",
      group: "Look",
      run: () => model.push(new LogScreen(program, ["tui"])),
    },
  ];
}

/** The fleet as a tree, with the cursor on the host that the person was at. */
function showXray(program: Program): void {
  const { model } = program;
  if (model.screen instanceof TreeScreen && model.screen.source instanceof XrayTree) return;
  const row = model.screen.subject();
  const host = row === undefined ? undefined : row.name.split("/").slice(0, 2).join("/");
  model.push(new TreeScreen(program, new XrayTree(model.fleet, model.context), host));
}
