import type { Argument, Option } from "commander";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { findKind, type Kind, kindNamed, ruledMethods } from "../../../lib/kinds/kinds.js";
import { fieldNames, findMember } from "../../../lib/list/field.js";
import type { QuerySchema } from "../../../lib/query/complete.js";
import {
  NicOption,
  KindArgument,
  type Language,
  LanguageArgument,
  LanguageOption,
  ResourceArgument,
  ResourceOption,
} from "../command.js";
import { kindsWith } from "../kinds.js";
import { kindOfFullName } from "../resolve.js";
import { listOffers, type Offer, wordOffers } from "./offer.js";
import { argumentAt, optionsOf, type Place } from "./place.js";
import { type AskValues, queryOffers } from "./query-offers.js";
import { selectorOffers } from "./selector-offers.js";
import { shells } from "./shell-words.js";

/** What only the fleet, or this user's files, know. Each resolves to nothing where it cannot be found out in time. */
export interface Known {
  /** Names of resources as they are typed. @param nics of their interfaces. */
  readonly names: (kind: Kind, typed: string, nics: boolean) => Promise<readonly string[]>;
  /** Paths in instances. */
  readonly inside: (command: string, typed: string) => Promise<readonly string[] | undefined>;
  readonly values: (kinds: readonly string[]) => AskValues;
  readonly contexts: () => Promise<readonly string[]>;
}

/** What may stand at a place; undefined: nobody knows, it may be a file. */
export async function offersAt(place: Place, known: Known): Promise<readonly Offer[] | undefined> {
  const { command, word, option, isPastOptions } = place;
  if (option !== undefined) return await ofOption(place, option, known);
  if (!isPastOptions && word.startsWith("-")) return optionOffers(place);
  const subcommands = place.positionals.length > 0 || isPastOptions ? [] : subcommandOffers(place);
  const argument = argumentAt(place);
  const inside = await known.inside(pathIn(place), word);
  if (inside !== undefined) return wordOffers(inside);
  const found = argument === undefined ? undefined : await ofArgument(place, argument, known);
  if (found !== undefined) return [...subcommands, ...found];
  return subcommands.length > 0 || command.commands.length > 0 || argument === undefined ? subcommands : undefined;
}

function pathIn({ command }: Place): string {
  return command.parent === null || command.parent.parent === null
    ? command.name()
    : `${command.parent.name()} ${command.name()}`;
}

function subcommandOffers({ command }: Place): readonly Offer[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => ({ text: each.name(), note: firstSentence(each.description()) }));
}

function optionOffers({ command, word }: Place): readonly Offer[] {
  const isShort = /^-[^-]/.test(word);
  return optionsOf(command).flatMap(({ long, short, hidden, description }): Offer[] => {
    const text = isShort ? short : long;
    return hidden || text === undefined || text === null ? [] : [{ text, note: firstSentence(description) }];
  });
}

/** Shells show one line. */
function firstSentence(description: string): string {
  return /^[^\n]*?(?=[.:;](\s|$)|\n|$)/.exec(description)?.[0] ?? "";
}

async function ofOption(place: Place, option: Option, known: Known): Promise<readonly Offer[] | undefined> {
  if (option instanceof ResourceOption) return await ofResources(place, option, known);
  if (option instanceof LanguageOption) return await inLanguage(place, option, known);
  if (option.argChoices !== undefined) return wordOffers(option.argChoices);
  if (option.long === "--host") return wordOffers(await known.names(kindNamed("host"), place.word, false));
  // Numbers and times are no files.
  return /<(?:file|path|directory|name|target)>|PATH|FILE/i.test(option.flags) ? undefined : [];
}

/** What an option names is of the same host as what the command is about, which is not said again. */
async function ofResources(
  { positionals, word }: Place,
  option: ResourceOption,
  known: Known,
): Promise<readonly Offer[]> {
  const host = /^[^/]+(?=\/)/.exec(positionals[0] ?? "")?.[0] ?? "";
  const names = await known.names(kindNamed(option.kind), host === "" ? "" : `${host}/`, option instanceof NicOption);
  if (option.kind === "host") return wordOffers(await known.names(kindNamed("host"), word, false));
  const there = names.filter((name) => host === "" || name.startsWith(`${host}/`));
  return wordOffers(new Set(there.map((name) => name.slice(name.indexOf("/") + 1))));
}

async function ofArgument(place: Place, argument: Argument, known: Known): Promise<readonly Offer[] | undefined> {
  const { word } = place;
  if (argument instanceof KindArgument) return wordOffers(kindsWith(argument.verb).map(({ plural }) => plural));
  if (argument instanceof LanguageArgument) return await inLanguage(place, argument, known);
  if (argument instanceof ResourceArgument) {
    const names = await known.names(kindAt(place), word, false);
    // A kind may come first.
    const isFirst =
      argument.kind === undefined &&
      place.positionals.length === 0 &&
      !place.command.registeredArguments.some((each) => each instanceof KindArgument);
    return [
      ...wordOffers(names),
      ...(isFirst ? kindsWith("get").map(({ plural }) => ({ text: plural, note: "a kind" })) : []),
    ];
  }
  return argument.argChoices === undefined ? undefined : wordOffers(argument.argChoices);
}

/** The kind that the words before the cursor are about. */
function kindAt({ command, positionals, values }: Place): Kind {
  const said = findKind(values.get("--kind") ?? "");
  if (said !== undefined) return said;
  const { registeredArguments } = command;
  const at = registeredArguments.findIndex((each) => each instanceof KindArgument);
  if (at >= 0) return findKind(positionals[at] ?? "") ?? kindNamed("instance");
  const here = registeredArguments[positionals.length] ?? registeredArguments.at(-1);
  const of =
    here instanceof ResourceArgument ? here : registeredArguments.find((each) => each instanceof ResourceArgument);
  if (of instanceof ResourceArgument && of.kind !== undefined) return kindNamed(of.kind);
  const [first = ""] = positionals;
  return findKind(first) ?? kindOfFullName(first) ?? kindNamed("instance");
}

async function inLanguage(
  place: Place,
  { language, ...rest }: { readonly language: Language; readonly kind?: string | undefined },
  known: Known,
): Promise<readonly Offer[]> {
  const { word } = place;
  const kind = rest.kind === undefined ? kindAt(place) : kindNamed(rest.kind);
  const ask = known.values([kind.singular]);
  const schema: QuerySchema = { kinds: [kind.singular] };
  switch (language) {
    case "query":
      return place.option === undefined ? await wordsOfQuery(place, known) : await queryOffers(word, schema, ask);
    case "condition":
      return [...wordOffers(["exists", "deleted"]), ...(await queryOffers(word, schema, ask))];
    case "selector":
      return await selectorOffers(word, ask);
    case "order":
      return await orderOffers(word, schema, ask);
    case "label keys":
      return listOffers(word, await ask("labels", ""));
    case "kinds":
      return listOffers(
        word,
        kindsWith("list").map(({ plural }) => plural),
      );
    case "kind":
      return wordOffers(kindsWith("get").map(({ singular }) => singular));
    case "shells":
      return wordOffers(shells);
    case "contexts":
      return wordOffers(await known.contexts());
    case "fields":
      return fieldOffers(word);
    case "methods":
      return wordOffers(ruledMethods().map((method) => method.replace(/^\/(?:zor\.v1\.)?/, "")));
  }
}

/** A query of which each word may be one of the line. */
async function wordsOfQuery({ positionals, word, values }: Place, known: Known): Promise<readonly Offer[]> {
  const kinds = (values.get("--kinds") ?? "").split(",").flatMap((each) => findKind(each.trim())?.singular ?? []);
  const before = positionals.map((each) => `${each} `).join("");
  const offers = await queryOffers(before + word, { kinds }, known.values(kinds));
  return offers.flatMap(({ text, ...offer }) =>
    text.startsWith(before) ? [{ ...offer, text: text.slice(before.length) }] : [],
  );
}

const sortWords = "sort by ";

async function orderOffers(word: string, schema: QuerySchema, ask: AskValues): Promise<readonly Offer[]> {
  const offers = await queryOffers(sortWords + word, schema, ask);
  return offers.flatMap(({ text, shown = "" }) =>
    shown === "limit" ? [] : [{ text: text.slice(sortWords.length), shown }],
  );
}

/** KIND.FIELD.FIELD, as the API has them. */
function fieldOffers(word: string): readonly Offer[] {
  const [first = "", ...more] = word.split(".");
  if (more.length === 0) return kindsWith("get").map(({ singular }) => ({ text: singular, isBegun: true }));
  const type = findKind(first)?.type;
  let message = type === undefined ? undefined : descriptors().registry.getMessage(type);
  for (const name of more.slice(0, -1)) {
    const field = message === undefined ? undefined : findMember(message, name);
    message = field?.message;
  }
  if (message === undefined) return [];
  const before = word.slice(0, word.lastIndexOf(".") + 1);
  return fieldNames(message).map((shown) => ({ text: before + shown, shown }));
}
