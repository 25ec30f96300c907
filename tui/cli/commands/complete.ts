import { RootCommand } from "@bomb.sh/tab";
import type { Argument, Command } from "commander";
import { findKind, type Kind, kindNamed } from "../../../lib/kinds/kinds.js";
import { type AnyResource, isOfKind } from "../../../lib/kinds/resource.js";
import { isId } from "../../../lib/names.js";
import { shortName } from "../../kit/resource-name.js";
import { KindArgument, NicOption, type Registrar, ResourceArgument, ResourceOption } from "../command.js";
import { expandAlias, readAliases } from "../aliases.js";
import { completeInside, isInsidePath } from "../complete-files.js";
import { commandTable, otherPrograms } from "../command-table.js";
import { kindsWith, listKind } from "../kinds.js";
import type { Session } from "../session.js";
import { pathOf } from "../words.js";

/** A shell waits for this, unless --timeout says otherwise; without the hub's names it still gets commands and options. */
const patienceMs = 800;

/** `zor complete -- WORDS`: what the completion scripts call; not for people. */
export function define(registrar: Registrar): void {
  const command = registrar.program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .action(async (typed: string[]) => {
      const session = registrar.open(command);
      const root = new RootCommand();
      const aliases = await readAliases(session.configDirectory).catch(() => new Map<string, string>());
      const isOther = typed.length > 1 && !isCommand(typed[0] ?? "");
      const words = isOther ? await expandAlias(typed, 0, session.configDirectory).catch(() => typed) : typed;
      const program = await wholeProgram(registrar);
      const place = placeOf(program, words);
      const names = await namesOf(session, place);
      addOptions(root, program, []);
      for (const each of program.commands) addCommand(root, each, "", { place, names });
      for (const [name, summary] of otherPrograms) root.command(name, summary);
      for (const [alias, text] of aliases) if (!isCommand(alias)) root.command(alias, `zor ${text}`);
      root.parse(words.length === 0 ? [""] : [...words]);
    });
}

function isCommand(word: string): boolean {
  return commandTable.some(({ name }) => name === word) || otherPrograms.some(([name]) => name === word);
}

/** Every command with its arguments and options. */
async function wholeProgram({ program, open }: Registrar): Promise<Command> {
  const whole = program.createCommand(program.name());
  for (const option of program.options) whole.addOption(option);
  for (const entry of commandTable) await (await entry.load()).define({ program: whole, open }, entry.name);
  return whole;
}

/** What the command line that is being typed offers. */
interface Offer {
  readonly place: Place;
  /** Of the kind that stands where the cursor is. */
  readonly names: readonly string[];
}

function addCommand(root: RootCommand, command: Command, prefix: string, offer: Offer): void {
  const path = prefix === "" ? command.name() : `${prefix} ${command.name()}`;
  const target = root.command(path, firstSentence(command.description()));
  for (const argument of command.registeredArguments) {
    const choices = choicesOf(path, argument, offer);
    target.argument(
      argument.name(),
      (complete) => {
        for (const choice of choices) complete(choice, "");
      },
      argument.variadic,
    );
  }
  addOptions(target, command, path === offer.place.path && offer.place.option !== undefined ? offer.names : []);
  for (const nested of command.commands) addCommand(root, nested, path, offer);
}

/** Shells show one line. */
function firstSentence(description: string): string {
  return /^[^\n]*?(?=[.:;](\s|$)|\n|$)/.exec(description)?.[0] ?? "";
}

/** @param names of what the option means that stands before the cursor. */
function addOptions(target: ReturnType<RootCommand["command"]>, command: Command, names: readonly string[]): void {
  for (const option of command.options) {
    if (option.long === undefined || option.long === null) continue;
    const name = option.long.slice(2);
    const short = option.short?.slice(1);
    if (option.required || option.optional) {
      const choices = option instanceof ResourceOption ? names : (option.argChoices ?? []);
      const suggest = (complete: (value: string, description: string) => void): void => {
        for (const choice of choices) complete(choice, "");
      };
      target.option(name, option.description, suggest, short);
    } else target.option(name, option.description, short);
  }
}

function choicesOf(path: string, argument: Argument, { place, names }: Offer): readonly string[] {
  if (path === "completion") return ["bash", "zsh", "fish"];
  if (argument instanceof KindArgument) return kindsWith(argument.verb).map(({ plural }) => plural);
  if (path !== place.path || place.option !== undefined) return [];
  return argument instanceof ResourceArgument || place.inside !== "" ? names : [];
}

/** Where in a command line the cursor is. */
interface Place {
  /** The command, "create link". */
  readonly path: string;
  /** Kind whose resources are named there. */
  readonly kind: Kind | undefined;
  /** The word that is a path in an instance; "": it is none. */
  readonly inside: string;
  /** The word is the value of an option, which names one of a host; "": of any. */
  readonly option?: { readonly host: string; readonly isNic: boolean };
}

function placeOf(program: Command, words: readonly string[]): Place {
  let command = program;
  let at = 0;
  for (; at < words.length - 1; at++) {
    const next = command.commands.find((each) => each.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  const before = words.slice(at, -1).filter((word) => !word.startsWith("-"));
  const { registeredArguments } = command;
  const argument = registeredArguments[before.length] ?? registeredArguments.at(-1);
  const path = pathOf(command).split(" ").slice(1).join(" ");
  const option = command.options.find((each) => each.long === words.at(-2) || each.short === words.at(-2));
  if (option instanceof ResourceOption) {
    const host = /^[^/]+(?=\/)/.exec(before[0] ?? "")?.[0] ?? "";
    return { path, kind: kindNamed(option.kind), inside: "", option: { host, isNic: option instanceof NicOption } };
  }
  const last = words.at(-1) ?? "";
  const inside = isInsidePath(path, last) ? last : "";
  if (!(argument instanceof ResourceArgument)) return { path, kind: undefined, inside };
  return {
    path,
    inside,
    kind: argument.kind === undefined ? (findKind(before[0] ?? "") ?? kindNamed("instance")) : kindNamed(argument.kind),
  };
}

/** Names of the resources the command line may mean; none when the hub does not answer in time. */
async function namesOf(session: Session, { kind, inside, option }: Place): Promise<string[]> {
  if (kind === undefined && inside === "") return [];
  try {
    const { timeoutMs = patienceMs } = session.callOptions(patienceMs);
    const signal = AbortSignal.any([session.io.signal, AbortSignal.timeout(timeoutMs)]);
    if (inside !== "") return await inTime(completeInside(session, inside, signal), signal);
    if (kind === undefined) return [];
    const connection = await session.connect(patienceMs);
    const { resources } = await listKind(connection, kind, {}, { signal });
    const named = resources.flatMap((each) => (option?.isNic === true ? nicsOf(each) : [each.value.name]));
    const names = named.map(shortName).filter(isPlainName);
    if (option === undefined) return names;
    // What an option names is of the same host, which is not said again.
    const there = names.filter((name) => option.host === "" || name.startsWith(`${option.host}/`));
    return [...new Set(there.map((name) => name.slice(name.indexOf("/") + 1)))];
  } catch {
    // A shell shows no errors while it completes.
    return [];
  }
}

/** Full names of the interfaces of an instance. */
function nicsOf(resource: AnyResource): string[] {
  if (!isOfKind(resource, "instance")) return [];
  const { value } = resource;
  return (value.spec?.nics ?? []).map(({ name }, index) => `${value.name}/nics/${name || `eth${index}`}`);
}

/** Whatever is asked, a shell is not kept waiting. */
async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("it takes too long")), { once: true });
  });
  return await Promise.race([work, late]);
}

/** Shells may expand what they are offered: nothing but proper names goes out. */
function isPlainName(name: string): boolean {
  return name.split("/").every(isId);
}
