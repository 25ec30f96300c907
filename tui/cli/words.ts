import type { Command, CommanderError } from "commander";

/** "zor create lan": a command with those it belongs to. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Says that a word is missing, as of arguments that are always needed. */
export function missingArgument(command: Command, name: string): CommanderError {
  return command.error(`error: missing required argument '${name}'`, { code: "commander.missingArgument" });
}
