import type { Command } from "commander";
import { type Kind, kindNamed } from "../../lib/kinds/kinds.js";
import { asResourceList, type ListingOptions, type Registrar, withExamples } from "./command.js";
import { narrowed } from "./input/narrowed.js";
import { listResources } from "./list-resources.js";

/** What `zor NOUN list` lists. */
export interface NounList {
  /** Plural, when the noun is none of a kind: "waves". */
  readonly plural?: string;
  /** Which of the kind's resources it lists. Default: all. */
  readonly only?: string;
  /** A filter, for the help. */
  readonly example: string;
}

/** `zor NOUN list`: the same as `zor get KINDS`, where people look for it who have just used another command of the noun. */
export function defineNounList(noun: Command, open: Registrar["open"], kind: Kind, list: NounList): void {
  const { plural = kind.plural, only, example } = list;
  const same = only === undefined ? `zor get ${kind.plural}` : `zor get ${kind.plural} --filter '${only}'`;
  const command = noun.command("list").description(`List ${plural}; the same as ${same}.`);
  asResourceList(command, example, kind.singular);
  command.action(async (options: ListingOptions) => {
    const filter = only === undefined ? options.filter : narrowed(options.filter, [only]);
    await listResources(open(command), kind, [], { ...options, filter });
  });
  withExamples(command, `zor ${noun.name()} list`, `zor ${noun.name()} list -o wide`);
}

/** {@link defineNounList} of a noun that is a kind's own word. */
export function defineKindList(noun: Command, open: Registrar["open"], example: string): void {
  defineNounList(noun, open, kindNamed(noun.name()), { example });
}
