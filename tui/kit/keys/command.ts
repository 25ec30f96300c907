/** Sections of the help. */
export const commandGroups = ["Move", "Look", "Act", "Program"] as const;

/** What stands in the footer for a command. */
export interface Hint {
  readonly word: string;
  /** What stands there now, where that differs: the same key resumes what is paused. */
  shown?(): string;
  /** The smallest stand first; the largest go when there is little room. */
  readonly rank: number;
  /** Whether its key alone does something where the person is now. Default: always, where it can be given. */
  when?(): boolean;
}

/** One line of the table of keys: the key, the footer, the help and the command line are made of it. */
export interface Command {
  /** What it is called in files of keys, for good: "table.mark". Default: its first word, else what {@link commandId} makes of its title. */
  readonly id?: string;
  /** The first is the one that is shown; none: the command line only. */
  readonly keys: readonly string[];
  /** Words of the command line that do the same; the first is the one that is completed. */
  readonly words?: readonly string[];
  /** What may follow the word, for the help: "NAME". */
  readonly argument?: string;
  /** It is done to what is under the cursor; what is named behind its word is gone to first. */
  readonly ofRow?: boolean;
  /** What the argument may be, for completion; what begins otherwise than `typed` is left out afterwards. */
  choices?(typed: string): readonly string[];
  readonly title: string;
  readonly group: (typeof commandGroups)[number];
  /** Without it the command is only in the help. */
  readonly hint?: Hint;
  /** Asks something of the fleet: never bound in read-only mode. */
  readonly changes?: boolean;
  /** Always confirmed; others only when they change more than one thing. */
  readonly dangerous?: boolean;
  /** Whether it can be given where the person is now. Default: always. */
  when?(): boolean;
  /** Said where it cannot be given: "ping is for instances: go to one first". Default: what it does. */
  readonly whyNot?: string;
  /** Does it: `chord` is the key that was pressed, `argument` what followed the word, empty when nothing did. */
  run(given: { readonly chord: string; readonly argument: string }): void;
}

/** The commands that can be given where the person is now; of those with the same key the first. */
export function availableCommands(commands: readonly Command[], readOnly: boolean): readonly Command[] {
  const taken = new Set<string>();
  return commands.flatMap((command) => {
    if ((readOnly && command.changes === true) || command.when?.() === false) return [];
    const keys = command.keys.filter((key) => !taken.has(key));
    if (keys.length === 0 && command.keys.length > 0) return [];
    for (const key of keys) taken.add(key);
    return [keys.length === command.keys.length ? command : { ...command, keys }];
  });
}

/** What a command is called in files of keys. */
export function commandId({ id, words, title }: Command): string {
  const [beginning = ""] = title.split(/[:;,(]/);
  return (
    id ??
    words?.[0] ??
    beginning
      .trim()
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
  );
}

/** A word of the command line with what may follow it, without the ":"; undefined: the command has none. */
export function lineOf({ words = [], argument, ofRow }: Command): string | undefined {
  const [word] = words;
  const after = argument ?? (ofRow === true ? "[NAME]" : "");
  return word === undefined ? undefined : `${word} ${after}`.trim();
}

/** A key as people read it. */
export function keyName(chord: string): string {
  return chord.startsWith("ctrl-") ? `^${chord.slice("ctrl-".length)}` : chord;
}
