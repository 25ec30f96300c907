import { RootCommand } from "@bomb.sh/tab";
import type { Command } from "commander";
import { isId } from "../../../lib/names.js";
import { shortName } from "../../kit/resource-name.js";
import type { Registrar } from "../command.js";
import { commandTable, otherPrograms } from "../command-table.js";
import { type KindName, kinds } from "../kinds.js";
import type { Session } from "../session.js";

/** A shell waits for this; without the hub's names it still gets commands and options. */
const patienceMs = 800;

/** What stands at an argument of this name. */
const kindByArgument: Readonly<Record<string, KindName>> = {
  instance: "instance",
  lan: "lan",
  "lan-a": "lan",
  "lan-b": "lan",
  link: "link",
  a: "lan",
  b: "lan",
};

/** Commands whose <name> or <names> are of one kind. */
const kindByCommand: Readonly<Record<string, KindName>> = {
  start: "instance",
  stop: "instance",
  pause: "instance",
  resume: "instance",
  reset: "instance",
  shutdown: "instance",
  delete: "instance",
  console: "instance",
  exec: "instance",
  "host remove": "host",
  "set a2b": "a2b",
  "set link": "link",
};

/** `zor complete -- WORDS`: what the completion scripts call; not for people. */
export function define(registrar: Registrar): void {
  const command = registrar.program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const session = registrar.open(command);
      const names = await namesFor(session, words);
      const root = new RootCommand();
      const program = await wholeProgram(registrar);
      addOptions(root, program);
      for (const each of program.commands) addCommand(root, each, "", names);
      for (const [name, summary] of otherPrograms) root.command(name, summary);
      root.parse(words.length === 0 ? [""] : words);
    });
}

/** Every command with its arguments and options. */
async function wholeProgram({ program, open }: Registrar): Promise<Command> {
  const whole = program.createCommand(program.name());
  for (const option of program.options) whole.addOption(option);
  for (const entry of commandTable) (await entry.load()).define({ program: whole, open }, entry.name);
  return whole;
}

function addCommand(root: RootCommand, command: Command, prefix: string, names: ReadonlyMap<KindName, string[]>): void {
  const path = prefix === "" ? command.name() : `${prefix} ${command.name()}`;
  const target = root.command(path, firstSentence(command.description()));
  for (const argument of command.registeredArguments) {
    const choices = choicesFor(path, argument.name(), names);
    target.argument(
      argument.name(),
      (complete) => {
        for (const choice of choices) complete(choice, "");
      },
      argument.variadic,
    );
  }
  addOptions(target, command);
  for (const nested of command.commands) addCommand(root, nested, path, names);
}

/** Shells show one line. */
function firstSentence(description: string): string {
  return /^[^\n]*?(?=[.:;](\s|$)|\n|$)/.exec(description)?.[0] ?? "";
}

function addOptions(target: ReturnType<RootCommand["command"]>, command: Command): void {
  for (const option of command.options) {
    if (option.long === undefined || option.long === null) continue;
    const name = option.long.slice(2);
    const short = option.short?.slice(1);
    if (option.required || option.optional) {
      const choices = option.argChoices ?? [];
      const suggest = (complete: (value: string, description: string) => void): void => {
        for (const choice of choices) complete(choice, "");
      };
      target.option(name, option.description, suggest, short);
    } else target.option(name, option.description, short);
  }
}

function choicesFor(path: string, argument: string, names: ReadonlyMap<KindName, string[]>): readonly string[] {
  if (path === "completion") return ["bash", "zsh", "fish"];
  if (path === "get" && argument === "kind") return Object.values(kinds).map(({ plural }) => plural);
  if (path === "get") return [...names.values()].flat();
  const kind = kindByArgument[argument] ?? kindByCommand[path];
  return kind === undefined ? [] : (names.get(kind) ?? []);
}

/** Names of the resources the command line may mean; none when the hub does not answer in time. */
async function namesFor(session: Session, words: readonly string[]): Promise<Map<KindName, string[]>> {
  const wanted = wantedKinds(words);
  const names = new Map<KindName, string[]>();
  if (wanted.length === 0) return names;
  try {
    const signal = AbortSignal.any([session.io.signal, AbortSignal.timeout(patienceMs)]);
    const connection = await session.connect(patienceMs);
    await Promise.all(
      wanted.map(async (kind) => {
        const { resources } = await kinds[kind].list(connection, { filter: "", orderBy: "" }, { signal });
        names.set(kind, resources.map(({ value }) => shortName(value.name)).filter(isPlainName));
      }),
    );
  } catch {
    // A shell shows no errors while it completes.
  }
  return names;
}

/** Shells may expand what they are offered: nothing but proper names goes out. */
function isPlainName(name: string): boolean {
  return name.split("/").every(isId);
}

function wantedKinds(words: readonly string[]): readonly KindName[] {
  const [first = "", second = ""] = words;
  if (first === "get") {
    const kind = Object.values(kinds).find(({ plural, name }) => plural === second || name === second);
    return kind !== undefined && words.length > 2 ? [kind.name] : [];
  }
  if (first === "attach" || first === "detach") return ["instance", "lan"];
  if (first === "create" && (second === "link" || second === "a2b")) return ["lan"];
  const kind = kindByCommand[first] ?? kindByCommand[`${first} ${second}`];
  return kind === undefined ? [] : [kind];
}
