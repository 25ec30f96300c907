import { Argument, type Command, Option } from "commander";
import type { StandardVerb } from "../../lib/kinds/verbs.js";
import { parseId } from "../../lib/names.js";
import type { Flag } from "../kit/kind-commands.js";
import { expressionForms, type OutputFormat, parseForm } from "./output/forms.js";
import type { ListForm } from "./output/list-form.js";
import type { Session } from "./session.js";

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

/** What can stand in a word that is more than one choice: a language of its own, or what only the fleet or the API knows. */
export type Language =
  | "query"
  | "condition"
  | "selector"
  | "order"
  | "label keys"
  | "kinds"
  | "kind"
  | "contexts"
  | "fields"
  | "methods"
  | "shells";

/** An option whose value shells are offered word by word. */
export class LanguageOption extends Option {
  readonly language: Language;
  /** Singular of the kind that it is about; undefined: the command's words say it. */
  readonly kind: string | undefined;

  constructor(flags: string, description: string, language: Language, kind?: string) {
    super(flags, description);
    this.language = language;
    this.kind = kind;
  }
}

/** An argument that shells are offered word by word. */
export class LanguageArgument extends Argument {
  readonly language: Language;

  constructor(name: string, description: string, language: Language) {
    super(name, description);
    this.language = language;
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

/** The -o option with the given forms; where there is JSON, there are expressions over it. */
export function outputOption(formats: readonly string[], fallback: OutputFormat): Option {
  const shown = formats.includes("json") ? [...formats, ...expressionForms] : formats;
  const option = new Option("-o, --output <form>", "form of the output").choices(shown).default(fallback);
  return option.argParser((text: string) => parseForm(text, formats));
}

/** Options of a command that prints a list. */
export interface ListingOptions extends ListForm {
  readonly host?: string;
  readonly watch?: boolean;
  readonly filter: string;
  readonly orderBy: string;
  readonly selector?: string;
  readonly labelColumns?: readonly string[];
}

/** Forms of lists. */
const listForms = ["table", "wide", "json", "yaml", "csv", "name"];

/** Gives a command that prints a list the options that all of them have. */
export function asList(command: Command): Command {
  return command
    .addOption(outputOption(listForms, "table"))
    .addOption(
      new Option(
        "--columns <columns>",
        "only these, in this order: titles or fields, such as NAME,STATE,labels.site",
      ).argParser((text: string) => text.split(",").map((column) => column.trim())),
    )
    .option("--no-headers", "without the titles of the columns")
    .option("--sort-by <columns>", "columns or fields, such as STATE,-MEM: with - in front the largest first");
}

/**
 * Gives a command that prints resources of a kind the options that all of them have.
 * @param example of a filter. @param kind singular, unless the command's words say it.
 */
export function asResourceList(command: Command, example: string, kind?: string): Command {
  return asList(command)
    .addOption(filterOption(example, kind))
    .addOption(selectorOption())
    .addOption(orderOption())
    .addOption(labelColumnsOption())
    .addOption(watchOption());
}

/** The -l option: labels of what is meant. */
export function selectorOption(): Option {
  const help = "such as site=paris,role!=db,'tier in (a,b)',owner,!old";
  return new LanguageOption("-l, --selector <labels>", help, "selector");
}

/** The -w option. */
function watchOption(): Option {
  return new Option("-w, --watch", "stay and show every change; survives a restart of the hub");
}

/** The --dry-run option. */
export function dryRunOption(help = "only check the request"): Option {
  return new Option("--dry-run", help);
}

/** The -y option. */
export function yesOption(help = "do not ask"): Option {
  return new Option("-y, --yes", help);
}

/** The --wait option, which is what happens unasked; it goes with {@link noWaitOption}. */
export function waitOption(): Option {
  return new Option("--wait", "wait for the end").default(true).hideHelp();
}

/** The --no-wait option. */
export function noWaitOption(help = "return once it has been taken on"): Option {
  return new Option("--no-wait", help);
}

/** The --filter option of lists. @param kind singular of what is listed, unless the command's words say it. */
export function filterOption(example: string, kind?: string): Option {
  return new LanguageOption("--filter <filter>", `such as '${example}'`, "query", kind).default("", "none");
}

/** The --order-by option of lists. */
function orderOption(): Option {
  return new LanguageOption("--order-by <fields>", "such as name, or 'host, create_time desc'", "order").default(
    "",
    "by name; operations the newest first",
  );
}

/** The --label-columns option of lists. */
function labelColumnsOption(): Option {
  return new LanguageOption(
    "-L, --label-columns <keys>",
    "labels to show in columns of their own, such as role,owner",
    "label keys",
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
