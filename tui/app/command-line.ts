import type { Command } from "../kit/keys/command.js";
import { type KindTable, pluralOf } from "../kit/kind-table.js";
import type { TuiKind } from "../kit/kind.js";

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
}

/** Reads a command line (without the ":"): a word with an argument, or a table, of one host, filtered by what follows "/". */
export function parseCommandLine(line: string, { kinds, commands, hosts }: Vocabulary): TypedCommand {
  const slash = line.search(/(^|\s)\//);
  const head = (slash < 0 ? line : line.slice(0, slash)).trim();
  const filter = slash < 0 ? "" : line.slice(line.indexOf("/", slash) + 1).trim();
  const [word = "", argument] = head.split(/\s+/);
  const command = commands.find(({ words }) => words?.includes(word) === true);
  if (command !== undefined) return { type: "command", command, argument: argument ?? "" };
  const kind = kinds.findByWord(word.toLowerCase());
  if (kind === undefined) {
    return { type: "unknown", message: `there is no command "${word}"; ${firstWords(kinds, commands).join(", ")}` };
  }
  if (argument !== undefined && !hosts.includes(argument)) {
    return { type: "unknown", message: `there is no host "${argument}"; 1 shows the hosts` };
  }
  return { type: "table", kind, host: argument, filter };
}

/** What may follow what is typed: whole lines, the best first. */
export function completions(line: string, { kinds, commands, hosts }: Vocabulary): readonly string[] {
  const [word = "", argument] = line.split(/\s+/, 2);
  if (argument === undefined) {
    if (word === "") return [];
    return firstWords(kinds, commands).filter((candidate) => candidate.startsWith(word) && candidate !== word);
  }
  if (kinds.findByWord(word) === undefined || argument.startsWith("/")) return [];
  return hosts.filter((host) => host.startsWith(argument) && host !== argument).map((host) => `${word} ${host}`);
}

function firstWords(kinds: KindTable, commands: readonly Command[]): readonly string[] {
  const words = commands.flatMap((command) => command.words?.slice(0, 1) ?? []);
  return [...kinds.all.map(pluralOf), ...words.sort()];
}
