import { Argument, type Command, Option } from "commander";
import type { Connection } from "../../../lib/grpc/connection.js";
import { type Kind, livesOnHosts } from "../../../lib/kinds/kinds.js";
import { type AnyResource, isOfKind } from "../../../lib/kinds/resource.js";
import { isId } from "../../../lib/names.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { listContexts } from "../../client/contexts.js";
import { shortName } from "../../kit/resource-name.js";
import { expandAlias, readAliases } from "../aliases.js";
import type { Registrar } from "../command.js";
import { commandTable, otherPrograms } from "../command-table.js";
import { completeInside, isInsidePath } from "../complete-files.js";
import { fleetValues } from "../completion/fleet-values.js";
import type { Offer } from "../completion/offer.js";
import { type Known, offersAt } from "../completion/offers.js";
import { type Place, placeOf } from "../completion/place.js";
import { namesAsTyped } from "../completion/query-offers.js";
import {
  bashReply,
  type Quoting,
  readWord,
  type Shell,
  shells,
  type TypedWord,
  wordsOfLine,
  zshMatch,
} from "../completion/shell-words.js";
import { listPage } from "../kinds.js";
import { createProgram } from "../program.js";
import { Session } from "../session.js";

/** A shell waits for this since it has started us, unless --timeout says otherwise; without the hub's names it still gets commands and options. */
const patienceMs = 800;
const leastPatienceMs = 300;
const mostOffers = 1000;

interface Options {
  readonly shell?: Exclude<Shell, "plain">;
  readonly breaks: string;
  readonly key: string;
}

/** What the keys are called that make bash list, instead of put something in: "?" in readline's own words. */
const listing = "63";

/** `zor complete -- WORDS`: what the completion scripts call; not for people. The last line says whether it may be a file (":0"), or not (":4"). */
export function define(registrar: Registrar): void {
  const command = registrar.program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .addOption(new Option("--shell <shell>").choices(shells))
    .option("--breaks <characters>", "", "")
    .option("--key <type>", "", "")
    .action(async (given: string[], options: Options) => {
      const session = registrar.open(command);
      const { words: typed, last } = wordsOf(given, options.shell ?? "plain");
      const words = await withoutAlias(typed, session.configDirectory);
      const place = placeOf(await programFor(registrar, words, session.configDirectory), words);
      const context = place.values.get("--context");
      await using own = new Session(session.io, { ...session.options, ...(context === undefined ? {} : { context }) });
      const offers = await offersAt(place, knownOf(own));
      const begun = (offers ?? [])
        .filter(({ text, isMeant }) => isMeant === true || isBegunAs(text, place.word))
        .slice(0, mostOffers);
      for (const line of linesOf(begun, { place, last, options })) session.print(line);
      session.print(offers === undefined ? ":0" : ":4");
    });
}

/** In whatever case: what is typed becomes what is meant. */
function isBegunAs(text: string, typed: string): boolean {
  return text.startsWith(typed) || text.toLowerCase().startsWith(typed.toLowerCase());
}

/** The words of the line as the command would get them, and the last as it is typed. bash gives the line, the others words. */
function wordsOf(
  given: readonly string[],
  shell: Shell,
): { readonly words: readonly string[]; readonly last: TypedWord } {
  // What stands before the command are assignments.
  const raw = shell === "bash" ? wordsOfLine(given[0] ?? "").slice(1) : given.length === 0 ? [""] : given;
  const last = readWord(raw.at(-1) ?? "", shell);
  // fish has read those before already.
  const before = raw.slice(0, -1).map((word) => (shell === "fish" ? word : readWord(word, shell).text));
  return { words: [...before, last.text], last };
}

interface Printed {
  readonly place: Place;
  readonly last: TypedWord;
  readonly options: Options;
}

function linesOf(offers: readonly Offer[], { place, last, options }: Printed): readonly string[] {
  const { shell = "plain", breaks, key } = options;
  const quoting: Quoting = { shell, keepsBlanks: place.command.name() === "query" && place.option === undefined };
  const lines = offers.flatMap(({ text, shown = text, note = "", isBegun = false }): string[] => {
    const wanted = place.before + text;
    const isEnd = !isBegun && offers.length === 1;
    if (shell === "bash") {
      const reply = bashReply(last, wanted, { ...quoting, breaks, isEnd });
      return reply === undefined ? [] : [key === listing ? shown : reply];
    }
    if (shell !== "zsh") return [`${wanted}\t${note}`];
    const match = zshMatch(last, wanted, { ...quoting, isEnd });
    return match === undefined ? [] : [`${match}\t${shown}\t${note}`];
  });
  return [...new Set(lines)];
}

/** The first word that belongs to no option of all commands; undefined: it is just being typed. */
function calledIn(words: readonly string[]): string | undefined {
  return placeOf(createProgram({ columns: 80, write: () => undefined }), words).positionals[0];
}

function isCommand(word: string): boolean {
  return commandTable.some(({ name }) => name === word) || otherPrograms.some(([name]) => name === word);
}

async function withoutAlias(words: readonly string[], directory: string): Promise<readonly string[]> {
  const called = calledIn(words);
  if (called === undefined || isCommand(called)) return words;
  return await expandAlias(words, words.indexOf(called), directory).catch(() => words);
}

/** The commands as the words have them: of the one that is called everything, of others what they are for. */
async function programFor(registrar: Registrar, words: readonly string[], directory: string): Promise<Command> {
  const program = createProgram({ columns: 80, write: () => undefined });
  const called = calledIn(words);
  for (const { name, summary, load } of commandTable) {
    if (name === called) await (await load()).define({ ...registrar, program }, name);
    else program.command(name).description(summary);
  }
  for (const [name, summary] of otherPrograms) program.command(name).description(summary);
  const topics = [...commandTable.map(({ name }) => name), "exit-codes"];
  program.command("help").description("help for a command").addArgument(new Argument("[topic]").choices(topics));
  const aliases = called === undefined ? await readAliases(directory).catch(() => []) : [];
  for (const [alias, text] of aliases) if (!isCommand(alias)) program.command(alias).description(`zor ${text}`);
  return program;
}

function knownOf(session: Session): Known {
  const patience = Math.max(leastPatienceMs, patienceMs - performance.now());
  const { timeoutMs = patience } = session.callOptions(patience);
  const signal = AbortSignal.any([session.io.signal, timeLimit(timeoutMs)]);
  // A shell shows no errors while it completes.
  const quietly = async (work: () => Promise<readonly string[]>): Promise<readonly string[]> =>
    await inTime(work(), signal).catch(() => []);
  return {
    names: (kind, typed, nics) =>
      quietly(async () => namesOf(await session.connect(timeoutMs), { kind, typed, nics }, signal)),
    inside: async (command, typed) =>
      isInsidePath(command, typed) ? await quietly(() => completeInside(session, typed, signal)) : undefined,
    values: (kinds) => (field, typed) =>
      quietly(async () => {
        const found = await fleetValues(await session.connect(timeoutMs), { kinds, field, typed }, signal);
        return field === "name" ? namesAsTyped(found, typed) : found;
      }),
    contexts: () => quietly(async () => (await listContexts(session.configDirectory)).contexts.map(({ name }) => name)),
  };
}

interface WantedNames {
  readonly kind: Kind;
  readonly typed: string;
  readonly nics: boolean;
}

async function namesOf(
  connection: Connection,
  { kind, typed, nics }: WantedNames,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [first = "", second] = typed.split("/");
  const isOnHost = second !== undefined && isId(first) && livesOnHosts(kind);
  // Of many thousands the first page would be others.
  const part = isOnHost ? (nics ? "" : second) : first;
  const filter = part === "" ? "" : `name : ${JSON.stringify(part)}`;
  const resources = await listPage(connection, kind, { filter, ...(isOnHost ? { host: first } : {}) }, { signal });
  const named = resources.flatMap((each) => (nics ? nicsOf(each) : [each.value.name]));
  return named.map(shortName).filter(isPlainName);
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
    const stop = (): void => reject(new Error("it takes too long"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  return await Promise.race([work, late]);
}

/** Shells may expand what they are offered: nothing but proper names goes out. */
function isPlainName(name: string): boolean {
  return name.split("/").every(isId);
}
