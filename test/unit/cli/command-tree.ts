import { Command } from "commander";
import { commandTable } from "../../../tui/cli/command-table.js";
import { pathOf } from "../../../tui/cli/words.js";

/** Every command of zor that does something itself, with the commands it belongs to. */
export async function commandTree(): Promise<readonly Command[]> {
  const program = new Command("zor");
  const open = (): never => {
    throw new Error("no command is run here");
  };
  for (const entry of commandTable) await (await entry.load()).define({ program, open }, entry.name);
  const all = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(all)];
  return all(program).slice(1);
}

/** "get", "host list". */
export function wordsOf(command: Command): string {
  return pathOf(command).replace(/^zor /, "");
}
