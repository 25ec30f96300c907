import { type Command, Option } from "commander";
import { parseId } from "../../lib/names.js";
import type { OutputFormat, Session } from "./session.js";

/** What a command module is given to add itself to the program. */
export interface Registrar {
  readonly program: Command;
  /** The session of this run, with the options given before and after the command. */
  readonly open: (command: Command) => Session;
}

/** A module under commands/. */
export interface CommandModule {
  /** @param name which of the module's commands is wanted. */
  define(registrar: Registrar, name: string): void;
}

/** The -o option of commands that change things: text for people, or the API's response. */
export function responseOutput(): Option {
  return outputOption(["text", "json", "yaml", "name"], "text");
}

/** The -o option with the given forms. */
export function outputOption(formats: readonly string[], fallback: OutputFormat | "table"): Option {
  return new Option("-o, --output <format>", "form of the output").choices(formats).default(fallback);
}

/** The --filter option of lists. */
export function filterOption(example: string): Option {
  return new Option("--filter <filter>", `such as '${example}'`).default("", "none");
}

/** The --order-by option of lists. */
export function orderOption(): Option {
  return new Option("--order-by <field>", "such as name, or 'create_time desc'").default(
    "",
    "by name; operations the newest first",
  );
}

/** The --label-columns option of lists. */
export function labelColumnsOption(): Option {
  return new Option(
    "-L, --label-columns <keys>",
    "labels to show in columns of their own, such as role,owner",
  ).argParser((value: string, before: readonly string[] | undefined) => {
    const keys = value.split(",").map((key) => parseId("--label-columns", key.trim()));
    return [...new Set([...(before ?? []), ...keys])];
  });
}

/** An option that may be repeated. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description)
    .default([], "none")
    .argParser((value: string, before: readonly string[]) => [...before, value]);
}

/** Examples at the end of a command's help. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`);
}
