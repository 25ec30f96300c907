import type { Argument, Command, Option } from "commander";

/** Where in a command line the cursor is. */
export interface Place {
  readonly command: Command;
  /** Arguments of the command before the cursor. */
  readonly positionals: readonly string[];
  /** Values of its options before the cursor, by their long names: the last counts. */
  readonly values: ReadonlyMap<string, string>;
  /** What is typed there, of an option's value without the option. */
  readonly word: string;
  /** What stands before {@link word} in the same word of the line: "--filter=". */
  readonly before: string;
  /** The option whose value is typed. */
  readonly option: Option | undefined;
  /** Nothing is an option any more: "--" stands before. */
  readonly isPastOptions: boolean;
}

/** Finds the place of the last of the words, as commander reads them. */
export function placeOf(program: Command, words: readonly string[]): Place {
  let command = program;
  let pending: Option | undefined;
  let isPastOptions = false;
  const positionals: string[] = [];
  const values = new Map<string, string>();
  const word = words.at(-1) ?? "";
  for (const each of words.slice(0, -1)) {
    if (pending !== undefined) {
      values.set(pending.long ?? "", each);
      pending = undefined;
      continue;
    }
    if (isPastOptions || !each.startsWith("-") || each === "-") {
      const next = positionals.length > 0 || isPastOptions ? undefined : subcommand(command, each);
      if (next === undefined) positionals.push(each);
      else command = next;
    } else if (each === "--") isPastOptions = true;
    else {
      const { option, value } = optionIn(command, each);
      if (option === undefined) continue;
      if (value !== undefined) values.set(option.long ?? "", value);
      else if (option.required) pending = option;
    }
  }
  const place = { command, positionals, values, isPastOptions };
  if (pending !== undefined) return { ...place, word, before: "", option: pending };
  const { option, value } = isPastOptions ? {} : optionIn(command, word);
  if (option === undefined || value === undefined) return { ...place, word, before: "", option: undefined };
  return { ...place, word: value, before: word.slice(0, word.length - value.length), option };
}

function subcommand(command: Command, word: string): Command | undefined {
  return command.commands.find((each) => each.name() === word || each.aliases().includes(word));
}

/** The option of a word such as "--output", "--output=json", "-o" and "-ojson", and its value if that is in there. */
function optionIn(
  command: Command,
  word: string,
): { readonly option?: Option | undefined; readonly value?: string | undefined } {
  const [, long, value] = /^(--[^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
  if (long !== undefined) {
    const option = optionsOf(command).find((each) => each.long === long);
    return { option, value: takesValue(option) ? value : undefined };
  }
  if (!/^-[^-]/.test(word)) return {};
  const option = optionsOf(command).find((each) => each.short === word.slice(0, 2));
  return { option, value: word.length > 2 && takesValue(option) ? word.slice(2) : undefined };
}

function takesValue(option: Option | undefined): boolean {
  return option !== undefined && (option.required || option.optional);
}

/** Options that go with a command: its own, and those that every command takes. */
export function optionsOf(command: Command): readonly Option[] {
  const { parent } = command;
  return [...command.options, ...(parent === null ? [] : optionsOf(parent))];
}

/** The argument that is typed; the last takes any number. */
export function argumentAt({ command, positionals }: Place): Argument | undefined {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[positionals.length] ?? (last?.variadic === true ? last : undefined);
}
