import { Argument, type Command, Option } from "commander";
import type { StandardVerb } from "../../lib/kinds/verbs.js";
import { parseId } from "../../lib/names.js";
import type { Flag } from "../kit/kind-commands.js";
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
  define(registrar: Registrar, name: string): void | Promise<void>;
}

/** An argument that names resources: shells complete it. */
export class ResourceArgument extends Argument {
  /** Singular of their kind; undefined: the word before them, or the first of them, says it. */
  readonly kind: string | undefined;

  constructor(name: string, description: string, kind?: string) {
    super(name, description);
    this.kind = kind;
  }
}

/** An argument that is a kind, one that the API has a method of for that verb. */
export class KindArgument extends Argument {
  readonly verb: StandardVerb;

  constructor(name: string, description: string, verb: StandardVerb) {
    super(name, description);
    this.verb = verb;
  }
}

/** An option whose value names a resource, which shells are offered. */
export class ResourceOption extends Option {
  /** Singular of the kind. */
  readonly kind: string;

  constructor(flags: string, description: string, kind: string) {
    super(flags, description);
    this.kind = kind;
  }
}

/** An option whose value names an interface of an instance, "vm1/eth0". */
export class NicOption extends ResourceOption {
  constructor(flags: string, description: string) {
    super(flags, description, "instance");
  }
}

/** The option of a flag. */
export function flagOption({
  flags,
  help,
  repeatable: isRepeatable,
  choices,
  conflicts,
  hidden,
  kind,
  ...rest
}: Flag): Option {
  const plain = kind === undefined ? new Option(flags, help) : new ResourceOption(flags, help, kind);
  const option = isRepeatable === true ? repeatable(flags, help) : plain;
  if (choices !== undefined) option.choices(choices);
  if (rest.default !== undefined) option.default(rest.default);
  if (conflicts !== undefined) option.conflicts(conflicts);
  return hidden === true ? option.hideHelp() : option;
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

/** Widest line of a help text. */
const helpColumns = 80;

/** Paragraphs after the options of a command's help. Lines that begin with spaces stay as they are; the others are filled anew to 80 columns. */
export function withNotes(command: Command, text: string): Command {
  const paragraphs = text.trim().split(/\n{2,}/);
  return command.addHelpText("after", `\n${paragraphs.map(fill).join("\n\n")}`);
}

function fill(paragraph: string): string {
  if (paragraph.startsWith(" ")) return paragraph;
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(/\s+/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > helpColumns && line !== "") {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].join("\n");
}

/** Examples at the end of a command's help. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`);
}
