import { notFound } from "../../../lib/errors.js";
import { nearest } from "../../../lib/nearest.js";
import { escapeText } from "../../kit/text/escape.js";
import { checkAlias, type IsCommand, readAliases, writeAliases } from "../aliases.js";
import { asList, type Registrar, withExamples, withNotes } from "../command.js";
import type { ListForm } from "../output/list-form.js";
import { printList } from "../output/print-list.js";

/** `zor alias list|set|remove`. */
export function define({ program, open }: Registrar): void {
  const isCommand: IsCommand = (word) =>
    word === "complete" || program.commands.some((command) => command.name() === word);
  const group = program
    .command("alias")
    .description("Words of your own for commands that you type often.")
    .helpCommand(false);

  const list = group
    .command("list")
    .description("List aliases.")
    .action(async (form: ListForm) => {
      const session = open(list);
      const rows = [...(await readAliases(session.configDirectory))].map(([word, text]) => ({ word, text }));
      await printList(session, form, {
        columns: [
          { title: "ALIAS", rank: 0, value: ({ word }) => word },
          { title: "COMMAND", rank: 0, shrinkTo: 20, value: ({ text }) => text },
          {
            title: "NOTE",
            rank: 1,
            shown: "wide",
            value: ({ word }) => (isCommand(word) ? "a command of this name goes before it" : ""),
          },
        ],
        rows,
        nameOf: ({ word }) => word,
        json: (sorted) => ({ aliases: Object.fromEntries(sorted.map(({ word, text }) => [word, text])) }),
        none: "no aliases; make one with: zor alias set ll 'get instances -o wide'",
      });
    });
  asList(list);
  withExamples(list, "zor alias list", "zor alias list -o json");

  const set = group
    .command("set")
    .description("Make an alias, or change it.")
    .argument("<alias>", "a word that is no command")
    .argument("<command>", "what it stands for, in quotes; what is typed after the alias follows")
    .action(async (word: string, text: string) => {
      const session = open(set);
      checkAlias(word, text, isCommand);
      const aliases = new Map(await readAliases(session.configDirectory));
      await writeAliases(session.configDirectory, aliases.set(word, text));
      session.print(escapeText(`zor ${word} means: zor ${text}`));
    });
  withExamples(
    set,
    "zor alias set ll 'get instances -o wide'",
    `zor alias set stopped 'get instances --filter "status.state = STOPPED"'`,
  );

  const remove = group
    .command("remove")
    .description("Forget an alias.")
    .argument("<alias>", "the alias")
    .action(async (word: string) => {
      const session = open(remove);
      const aliases = new Map(await readAliases(session.configDirectory));
      if (!aliases.delete(word)) {
        const near = nearest(word, aliases.keys());
        throw notFound(`alias ${word}`, near === undefined ? "see: zor alias list" : `did you mean ${near}?`);
      }
      await writeAliases(session.configDirectory, aliases);
      session.print(escapeText(`alias ${word} removed`));
    });
  withExamples(remove, "zor alias remove ll");
  withNotes(
    group,
    "They lie in aliases.yaml beside the contexts, and mean what they say once: an alias stands for a command, not for another alias. Commands of zor go before them.",
  );
}
