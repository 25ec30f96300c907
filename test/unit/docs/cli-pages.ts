import type { Command } from "commander";
import { commandTable, otherPrograms } from "../../../tui/cli/command-table.js";
import { exitCodeTable } from "../../../tui/cli/exit-codes.js";
import { methodCommands } from "../../../tui/cli/method-commands.js";
import { createProgram } from "../../../tui/cli/program.js";
import { pathOf } from "../../../tui/cli/words.js";

/** A command as its help describes it. */
interface Page {
  /** "zor host list". */
  readonly path: string;
  readonly description: string;
  readonly usage: string;
  readonly arguments: readonly Entry[];
  readonly options: readonly Entry[];
  /** Paragraphs after the options. */
  readonly notes: readonly string[];
  readonly examples: readonly string[];
  readonly commands: readonly Page[];
}

interface Entry {
  readonly term: string;
  readonly text: string;
}

/** Pages of all commands, in the order of the help, and the options that every command takes. */
export async function readPages(): Promise<{ readonly pages: readonly Page[]; readonly shared: readonly Entry[] }> {
  const program = createProgram({ columns: 80, write: () => undefined });
  const open = (): never => {
    throw new Error("no command is run here");
  };
  for (const entry of commandTable) await (await entry.load()).define({ program, open }, entry.name);
  const pages = commandTable.flatMap(({ name }) => program.commands.find((each) => each.name() === name) ?? []);
  return { pages: pages.map(pageOf), shared: optionsOf(program) };
}

function pageOf(command: Command): Page {
  const help = command.createHelp();
  const after = afterOptions(command);
  const [notes = "", examples = ""] = after.split(/(?:^|\n)Examples:\n/);
  return {
    path: pathOf(command),
    description: command.description(),
    usage: `${pathOf(command)} ${command.usage()}`.trim(),
    arguments: command.registeredArguments.map((argument) => ({
      term: argument.required
        ? `<${argument.name()}${argument.variadic ? "..." : ""}>`
        : `[${argument.name()}${argument.variadic ? "..." : ""}]`,
      text: help.argumentDescription(argument),
    })),
    options: optionsOf(command),
    notes: notes
      .split(/\n{2,}/)
      .map((each) => each.replace(/^\n+|\n+$/g, ""))
      .filter((each) => each !== ""),
    examples: examples
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== ""),
    commands: command.commands.map(pageOf),
  };
}

function optionsOf(command: Command): readonly Entry[] {
  const help = command.createHelp();
  return command.options
    .filter(({ hidden }) => !hidden)
    .map((option) => ({ term: option.flags, text: help.optionDescription(option) }));
}

/** What a command says after its options. */
function afterOptions(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text.slice(command.helpInformation().length);
}

/** docs/cli.md from its marker on. */
export function markdownOf(pages: readonly Page[], shared: readonly Entry[]): string {
  const all = (page: Page): readonly Page[] => [page, ...page.commands.flatMap(all)];
  const table = pages.map(
    ({ path, description }) => `- [\`${path}\`](#${anchorOf(path)}): ${firstSentence(description)}`,
  );
  const sections = pages.flatMap(all).map((page) => {
    const lines = [`### ${page.path}`, "", page.description.replaceAll("\n", "\n\n"), "", "```", page.usage, "```", ""];
    lines.push(
      ...entries(page.arguments),
      ...entries(page.options),
      ...(page.arguments.length + page.options.length > 0 ? [""] : []),
    );
    for (const note of page.notes) lines.push(...(note.startsWith(" ") ? ["```", note, "```", ""] : [note, ""]));
    if (page.examples.length > 0) lines.push("```", ...page.examples, "```", "");
    return lines.join("\n");
  });
  return [
    "",
    "## Options of every command",
    "",
    ...entries(shared),
    "",
    "## Commands",
    "",
    ...table,
    "",
    ...sections,
    "## Methods of the API",
    "",
    "What each is called with; `zor api call` calls any.",
    "",
    "| method | command |",
    "|---|---|",
    ...methodCommands().map(([path, command]) => `| \`${path.slice(1)}\` | \`zor ${command}\` |`),
    "",
  ].join("\n");
}

function entries(all: readonly Entry[]): readonly string[] {
  return all.map(({ term, text }) => `- \`${term}\`: ${text}`);
}

function anchorOf(path: string): string {
  return path.toLowerCase().replaceAll(" ", "-");
}

function firstSentence(text: string): string {
  return /^[^\n]*?(?=[.:;](?:\s|$)|\n|$)/.exec(text)?.[0] ?? text;
}

/** The manual page of one command with those below it. */
export function manualOf(page: Page): string {
  const name = page.path.replaceAll(" ", "-");
  return [
    header(name),
    ".SH NAME",
    `${roff(name)} \\- ${roff(lowerFirst(firstSentence(page.description)))}`,
    ...(page.commands.length === 0 ? [".SH SYNOPSIS", `.B ${roff(page.usage)}`] : synopses(page)),
    ".SH DESCRIPTION",
    ...paragraphs(page.description.split("\n")),
    ...partsOf(page),
    ...page.commands.flatMap((each) => [
      `.SH ${quoted(each.path.toUpperCase())}`,
      `.B ${roff(each.usage)}`,
      ".PP",
      ...paragraphs([each.description]),
      ...partsOf(each, true),
    ]),
    ".SH SEE ALSO",
    ".BR zor (1)",
    "",
  ].join("\n");
}

/** zor(1). */
export function programManual(pages: readonly Page[], shared: readonly Entry[]): string {
  const others = otherPrograms.map(([name, summary]) => ({ term: `zor ${name}`, text: summary }));
  const commands = pages.map(({ path, description }) => ({ term: path, text: firstSentence(description) }));
  return [
    header("zor"),
    ".SH NAME",
    "zor \\- run a fleet of lab hosts: machines, containers, lans and the cables between them",
    ".SH SYNOPSIS",
    ".B zor",
    ".RI [ options ]",
    ".I command",
    ".RI [ arguments ]",
    ".SH DESCRIPTION",
    ...paragraphs([
      "zor speaks to the hub of a fleet, or to the agent of one host, and shows and changes what is there. It is the program of agent and hub as well. zor --help lists all commands; zor COMMAND --help says what one does, with examples; each has a page of its own, such as zor-get(1).",
    ]),
    ".SH OPTIONS",
    ...tagged(shared),
    ".SH COMMANDS",
    ...tagged([...commands, ...others]),
    ".SH EXIT STATUS",
    ...tagged(exitCodeTable.map(([code, text]) => ({ term: `${code}`, text }))),
    ".SH ENVIRONMENT",
    ...tagged([
      { term: "ZOR_CONTEXT", text: "the context to use, unless --context says another" },
      {
        term: "ZOR_CONFIG",
        text: "directory of contexts, identities and aliases; default: zor in XDG_CONFIG_HOME, else in ~/.config",
      },
      { term: "NO_COLOR", text: "when set, nothing is coloured" },
      { term: "VISUAL, EDITOR", text: "the editor of zor edit" },
    ]),
    ".SH FILES",
    ...tagged([
      { term: "/etc/zor/agent.yaml", text: "settings of the agent" },
      { term: "/etc/zor/hub.yaml", text: "settings of the hub" },
      { term: "/var/lib/zor", text: "what agent and hub keep" },
    ]),
    ".SH SEE ALSO",
    ".I /usr/share/doc/zorhub\\-common",
    "",
  ].join("\n");
}

function header(name: string): string {
  return `.\\" Generated from the commands by npm run docs; do not edit.\n.TH ${quoted(name.toUpperCase())} 1 "" "Zorhub" "User Commands"`;
}

function synopses(page: Page): readonly string[] {
  return [".SH SYNOPSIS", ...page.commands.flatMap(({ usage }) => [`.B ${roff(usage)}`, ".br"]).slice(0, -1)];
}

function partsOf(page: Page, isNested = false): readonly string[] {
  const heading = (title: string): string => (isNested ? `.SS ${title}` : `.SH ${title.toUpperCase()}`);
  const nested = isNested
    ? page.commands.flatMap((each) => [
        `.SS ${quoted(each.path)}`,
        `.B ${roff(each.usage)}`,
        ".PP",
        ...paragraphs([each.description]),
        ...tagged(each.options),
      ])
    : [];
  return [
    ...(page.arguments.length === 0 ? [] : [heading("Arguments"), ...tagged(page.arguments)]),
    ...(page.options.length === 0 ? [] : [heading("Options"), ...tagged(page.options)]),
    ...(page.notes.length === 0
      ? []
      : [
          heading("Notes"),
          ...page.notes.flatMap((note) =>
            note.startsWith(" ") ? [".nf", ...note.split("\n").map(roff), ".fi"] : paragraphs([note]),
          ),
        ]),
    ...(page.examples.length === 0 ? [] : [heading("Examples"), ".nf", ...page.examples.map(roff), ".fi"]),
    ...nested,
  ];
}

function paragraphs(texts: readonly string[]): readonly string[] {
  return texts
    .filter((text) => text.trim() !== "")
    .flatMap((text) => [roff(text.replaceAll(/\s*\n\s*/g, " ")), ".PP"])
    .slice(0, -1);
}

function tagged(all: readonly Entry[]): readonly string[] {
  return all.flatMap(({ term, text }) => [".TP", `.B ${roff(term)}`, roff(text)]);
}

/** A text in which roff finds nothing to do. */
function roff(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...");
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

function quoted(text: string): string {
  return `"${roff(text).replaceAll('"', "\\(dq")}"`;
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z ]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
