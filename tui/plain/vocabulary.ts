import { type Command, commandId } from "../kit/keys/command.js";
import { pluralOf } from "../kit/kind-table.js";
import { shortName } from "../kit/resource-name.js";
import { filterCompleter } from "../kit/table/complete-filter.js";
import { allCommands } from "../screens/commands.js";
import type { Program } from "../screens/program.js";
import { TableScreen } from "../screens/table/table-screen.js";
import type { Reading } from "./reading.js";

/** No more names are offered. */
const mostNames = 50;

/** What a command is called where there are no keys: its words, its id, the end of that, and what the footer calls it. */
export function namesOf(command: Command): readonly string[] {
  const id = commandId(command);
  const end = id.slice(id.lastIndexOf(".") + 1);
  const hint = command.hint?.word.replaceAll(" ", "-");
  const made = command.id === undefined ? [] : [id, end];
  const names = [...(command.words ?? []), ...(hint === undefined ? [] : [hint]), ...made];
  return [...new Set(names.length === 0 ? [id] : names)];
}

/** A word that acts on resources of some kind. */
export function isVerb({ model }: Program, word: string): boolean {
  return model.kinds.all.some(({ actions }) => actions.some(({ verb }) => verb === word));
}

/** Why a word is of no use here although there is such a command; undefined: there is none, or it can be given anywhere. */
export function whyNotHere(program: Program, word: string): string | undefined {
  const { kinds, session } = program.model;
  const actors = kinds.all.filter(({ actions }) => actions.some(({ verb }) => verb === word));
  if (actors.length > 0 && program.model.screen.kind?.actions.some(({ verb }) => verb === word) !== true) {
    const plurals = actors.map(pluralOf);
    return `${word} is for ${plurals.slice(0, 6).join(", ")}: say ${plurals[0] ?? ""} first`;
  }
  if (kinds.findByWord(word) !== undefined) return undefined;
  const command = allCommands(program).find((each) => namesOf(each).includes(word));
  if (command === undefined || (command.words?.includes(word) === true && command.when?.() !== false)) return undefined;
  if (session.readOnly && command.changes === true) return "read-only: nothing can be changed from here";
  return command.when?.() === false ? `${word} (${command.title}) cannot be said here` : undefined;
}

/** What may follow what is typed, whole lines: filters as on the full screen, else words of this place and of the program, and names of rows. */
export function completionsOf(
  { program, commands }: Pick<Reading, "program" | "commands">,
  line: string,
): readonly string[] {
  const { model } = program;
  const { screen } = model;
  if (line.startsWith("/") && screen instanceof TableScreen) {
    const complete = filterCompleter(screen.table.kind, { fleet: model.fleet, nowMs: model.nowMs });
    const { choices, from } = complete?.(line.slice(1)) ?? { choices: [], from: 0 };
    return choices.map((choice) => line.slice(0, from + 1) + choice);
  }
  const colon = /^:?\s*/.exec(line)?.[0] ?? "";
  const typed = line.slice(colon.length);
  const verbs = screen.kind?.actions.map(({ verb }) => verb) ?? [];
  const [word = "", ...others] = typed.split(/\s+/);
  if (others.length === 0) {
    const words = [...verbs, ...commands.flatMap((command) => namesOf(command).slice(0, 1)), ...programWords(program)];
    return [...new Set(words)].filter((each) => each.startsWith(typed) && each !== typed).map((each) => colon + each);
  }
  const command = [...commands, ...allCommands(program)].find((each) => namesOf(each).includes(word));
  const said = typed.slice(word.length).trimStart();
  if (command?.choices !== undefined) {
    return command
      .choices(said)
      .filter((each) => each.startsWith(said))
      .map((each) => `${colon}${word} ${each}`);
  }
  const last = others.at(-1) ?? "";
  const before = line.slice(0, line.length - last.length);
  const kind = model.kinds.findByWord(word);
  const rows = kind === undefined ? screen.kind : model.kinds.presence;
  if (rows === undefined || (command?.argument !== undefined && kind === undefined)) return [];
  const names: string[] = [];
  for (const { name } of model.fleet.rowsOf(rows.kind)) {
    if (shortName(name).startsWith(last)) names.push(shortName(name));
    if (names.length === mostNames) break;
  }
  return names.sort().map((name) => before + name);
}

function programWords(program: Program): readonly string[] {
  return [
    ...program.model.kinds.all.map(pluralOf),
    ...allCommands(program).flatMap(({ words }) => words?.slice(0, 1) ?? []),
    ...Object.keys(program.settings.values.aliases),
  ];
}
