import { join } from "node:path";
import { mkdir } from "node:fs/promises";
import { isMap, parseDocument, stringify } from "yaml";
import { invalidArgument } from "../../lib/errors.js";
import { readIfExists, writeFileAtomic } from "../../lib/files.js";
import { isId, quote } from "../../lib/names.js";

/** Aliases by their words: what each stands for, as it was written. */
export type Aliases = ReadonlyMap<string, string>;

const fileName = "aliases.yaml";

/** Whether a word is a command, or a program, of zor: no alias can be one. */
export type IsCommand = (word: string) => boolean;

/** @throws {ZorError} INVALID_ARGUMENT naming the file, when it is no mapping of words to texts. */
export async function readAliases(directory: string): Promise<Aliases> {
  const path = join(directory, fileName);
  const text = await readIfExists(path);
  if (text === undefined) return new Map();
  const document = parseDocument(text);
  const [broken] = document.errors;
  if (broken !== undefined) throw invalidArgument(path, broken.message.split("\n")[0] ?? broken.message);
  if (document.contents === null) return new Map();
  const entries = isMap(document.contents) ? Object.entries(document.toJS() as Record<string, unknown>) : undefined;
  const wrong = entries?.find(([, value]) => typeof value !== "string");
  if (entries === undefined || wrong !== undefined)
    throw invalidArgument(path, `expected a mapping of words to commands, such as ll: "get instances -o wide"`);
  return new Map(entries.map(([word, value]) => [word, String(value)]));
}

/** Writes all aliases. */
export async function writeAliases(directory: string, aliases: Aliases): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(directory, fileName), stringify(Object.fromEntries([...aliases].sort())));
}

/** Checks an alias that is to be kept. @throws {ZorError} INVALID_ARGUMENT */
export function checkAlias(word: string, text: string, isCommand: IsCommand): void {
  if (!isId(word)) throw invalidArgument("alias", `${quote(word)} is not a word that can be an alias`);
  if (isCommand(word)) throw invalidArgument("alias", `${word} is a command of zor, and no alias can stand before it`);
  const [first = ""] = splitWords(text);
  if (isCommand(first)) return;
  throw invalidArgument("command", `an alias begins with a command of zor, not with ${quote(first)}; see zor --help`);
}

/**
 * The words that an alias stands for, as a shell would read them: parted by spaces, with quotes around those that hold some. Nothing is
 * expanded. @throws {ZorError} INVALID_ARGUMENT when a quote is not closed.
 */
function splitWords(text: string): readonly string[] {
  const words: string[] = [];
  const token = /\s*((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/y;
  while (token.lastIndex < text.length && text.slice(token.lastIndex).trim() !== "") {
    const at = token.lastIndex;
    const found = token.exec(text)?.[1];
    if (found === undefined)
      throw invalidArgument("command", `a quote in ${quote(text.slice(at).trim())} is not closed`);
    words.push(
      found.replace(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
        (_, plain: string, double: string, single: string) =>
          plain ?? (double === undefined ? single : double.replace(/\\(["\\$`])/g, "$1")),
      ),
    );
  }
  return words;
}

/** Words with the one at a place, which is no command, replaced by what it stands for, if it is an alias. */
export async function expandAlias(words: readonly string[], at: number, directory: string): Promise<readonly string[]> {
  const word = words[at] ?? "";
  const text = (await readAliases(directory)).get(word);
  return text === undefined ? words : [...words.slice(0, at), ...splitWords(text), ...words.slice(at + 1)];
}
