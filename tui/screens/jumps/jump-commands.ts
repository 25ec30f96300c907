import type { Command } from "../../kit/keys/command.js";
import { shortName } from "../../kit/resource-name.js";
import { MenuScreen } from "../menu/menu-screen.js";
import type { Program } from "../program.js";
import { type Destination, destinationsOf, usualJumps } from "./jumps.js";

/** The commands that go from a row to what is related to it. */
export function jumpCommands(program: Program): readonly Command[] {
  const { model, settings } = program;
  const destinations = (): readonly Destination[] => {
    const row = model.screen.subject();
    const kind = row === undefined ? undefined : model.kinds.find(row.kind);
    if (row === undefined || kind === undefined) return [];
    return destinationsOf(row, {
      kind,
      jumps: { ...usualJumps, ...settings.values.jumps },
      context: model.context,
    });
  };
  return [
    {
      id: "jump",
      keys: ["'"],
      words: ["jump"],
      argument: "[WHERE]",
      title: "jump to what is related to this: its host, its snapshots, and your own",
      group: "Look",
      when: () => model.screen.kind !== undefined,
      choices: () => destinations().map(({ name }) => name),
      run: ({ argument }) => {
        const found = destinations();
        const chosen = found.find(({ name }) => name === argument);
        if (chosen !== undefined) program.run(chosen.line);
        else if (argument !== "") model.say(`this does not lead to "${argument}"; ' shows where it leads`, "warn");
        else if (found.length === 0) model.say("nothing is related to this");
        else model.push(jumpMenu(program, found));
      },
    },
  ];
}

function jumpMenu(program: Program, found: readonly Destination[]): MenuScreen {
  const name = program.model.screen.subject()?.name ?? "";
  return new MenuScreen(program, {
    title: `from ${shortName(name)} to`,
    items: () => found.map((to) => ({ text: to.name, detail: `:${to.line}`, run: () => program.run(to.line) })),
  });
}
