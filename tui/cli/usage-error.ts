import { status } from "@grpc/grpc-js";
import type { Command, CommanderError } from "commander";
import { ZorError } from "../../lib/errors.js";
import { pathOf } from "./words.js";

/** What is wrong with a command line, and where to read how it should be. */
export function toUsageError(error: CommanderError, command: Command): ZorError {
  const message = error.message
    .replace(/^error: /, "")
    .replaceAll("\n", " ")
    .replace(/\.$/, "");
  return new ZorError({
    reason: "USAGE",
    code: status.INVALID_ARGUMENT,
    message: `${message}; ${hint(error, command)}`,
  });
}

function hint({ code }: CommanderError, command: Command): string {
  const path = pathOf(command);
  if (code === "commander.missingArgument") return `usage: ${path} ${command.usage()}; see ${path} --help`;
  const names = command.commands.map((each) => each.name());
  // The program itself has too many to name them all.
  if (code === "commander.unknownCommand" && command.parent !== null) {
    return `there are ${names.join(", ")}; see ${path} --help`;
  }
  return `see ${path} --help`;
}

/** The command that a command line is about: as far as its words are names of commands. */
export function commandOf(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    if (word.startsWith("-")) continue;
    const next = command.commands.find((each) => each.name() === word);
    // Before the first command there may be values of options; after it the next word is a command or none is.
    if (next === undefined && command !== program) break;
    command = next ?? command;
  }
  return command;
}
