import { nearest } from "../../lib/nearest.js";
import type { Command } from "../kit/keys/command.js";
import type { TuiKind } from "../kit/kind.js";
import { type KindTable, pluralOf } from "../kit/kind-table.js";

/** What a typed command asks for. */
export type TypedCommand =
  | { readonly type: "table"; readonly kind: TuiKind; readonly host: string | undefined; readonly filter: string }
  | { readonly type: "command"; readonly command: Command; readonly argument: string }
  | { readonly type: "unknown"; readonly message: string };

/** What the command line knows: a table for each kind, and the commands that have a word. */
export interface Vocabulary {
  readonly kinds: KindTable;
  readonly commands: readonly Command[];
  /** Ids of the hosts there are. */
  readonly hosts: readonly string[];
  /** Names of the contexts that a table can be opened in. Default: none. */
  readonly contexts?: readonly string[];
  /** Words that the user has made up. Default: none. */
  readonly aliases?: readonly string[];
  /** Names of what there is that `typed` may be the beginning of. Default: none. */
  names?(typed: string): readonly string[];
}

/** Aliases may begin with other aliases, to this depth. */
const mostAliases = 8;

/**
 * The line with the user's word at its beginning replaced by what it stands for, and that one's likewise. What follows the word goes to
 * where that says "{}", else to its end. A word is replaced once: one that stands for itself with more is no endless one.
 */
export function expandAlias(line: string, aliases: Readonly<Record<string, string>>): string {
  const used = new Set<string>();
  let expanded = line.trim();
  while (used.size < mostAliases) {
    const [, word = "", rest = ""] = /^(\S*)\s*(.*)$/s.exec(expanded) ?? [];
    const meaning = Object.hasOwn(aliases, word) ? aliases[word] : undefined;
    if (meaning === undefined || used.has(word)) break;
    used.add(word);
    // A function, because what is typed may have signs that a replacement would read.
    expanded = (meaning.includes("{}") ? meaning.replace("{}", () => rest) : `${meaning} ${rest}`).trim();
  }
  return expanded;
}

/** Reads a command line (without the ":"): a word with an argument, or a table, of one host, filtered by what follows "/". */
export function parseCommandLine(line: string, vocabulary: Vocabulary): TypedCommand {
  const { kinds, commands, hosts, aliases = [] } = vocabulary;
  const slash = line.search(/(^|\s)\//);
  const head = (slash < 0 ? line : line.slice(0, slash)).trim();
  const filter = slash < 0 ? "" : line.slice(line.indexOf("/", slash) + 1).trim();
  const [word = "", argument] = head.split(/\s+/);
  const kind = kinds.findByWord(word.toLowerCase());
  const command = commandNamed(word, commands) ?? (kind === undefined ? commandLike(word, commands) : undefined);
  // A path may have what would begin a filter in it.
  if (command !== undefined) return { type: "command", command, argument: line.trim().slice(word.length).trim() };
  if (kind === undefined) {
    const meant = nearest(word.toLowerCase(), [...firstWords(kinds, commands), ...aliases]);
    const help = meant === undefined ? "tab completes what there is, ? shows it" : `did you mean ${meant}?`;
    return { type: "unknown", message: `there is no command "${word}"; ${help}` };
  }
  if (argument !== undefined && !hosts.includes(argument)) {
    const meant = nearest(argument, hosts);
    const help = meant === undefined ? "1 shows the hosts" : `did you mean ${meant}?`;
    return { type: "unknown", message: `there is no host "${argument}"; ${help}` };
  }
  return { type: "table", kind, host: argument, filter };
}

function commandNamed(word: string, commands: readonly Command[]): Command | undefined {
  const named = commands.filter(({ words }) => words?.includes(word) === true);
  // Of several the one that can be given here.
  return named.find(({ when }) => when?.() !== false) ?? named[0];
}

/** The command whose word is the one or the several of what was typed, "views" and "view", in whatever case. Only one that changes nothing. */
function commandLike(word: string, commands: readonly Command[]): Command | undefined {
  const small = word.toLowerCase();
  const other = small.endsWith("s") ? small.slice(0, -1) : `${small}s`;
  const looking = commands.filter(({ changes }) => changes !== true);
  return commandNamed(small, looking) ?? commandNamed(other, looking);
}

/** What may follow what is typed: whole lines, the best first. */
export function completions(line: string, vocabulary: Vocabulary): readonly string[] {
  const { kinds, commands, hosts, contexts = [], aliases = [], names } = vocabulary;
  const [word = "", argument] = line.split(/\s+/, 2);
  if (argument === undefined) {
    if (word === "") return [];
    const words = [...firstWords(kinds, commands), ...aliases];
    return words.filter((candidate) => candidate.startsWith(word) && candidate !== word);
  }
  const command = commands.find(({ words }) => words?.includes(word) === true);
  if (command !== undefined) {
    const typed = line.slice(word.length).trimStart();
    return argumentsOf(command.ofRow === true ? (names?.(typed) ?? []) : (command.choices?.(typed) ?? []), word, typed);
  }
  if (kinds.findByWord(word) === undefined || argument.startsWith("/")) return [];
  return [...hosts, ...contexts.map((name) => `@${name}`)]
    .filter((place) => place.startsWith(argument) && place !== argument)
    .map((place) => `${word} ${place}`);
}

function argumentsOf(choices: readonly string[], word: string, typed: string): readonly string[] {
  return choices.filter((choice) => choice.startsWith(typed) && choice !== typed).map((choice) => `${word} ${choice}`);
}

function firstWords(kinds: KindTable, commands: readonly Command[]): readonly string[] {
  const words = commands.flatMap((command) => command.words?.slice(0, 1) ?? []);
  return [...kinds.all.map(pluralOf), ...words.sort()];
}
