import { findKindBySingular } from "../../../lib/kinds/kinds.js";
import { askText } from "../../kit/ask-text.js";
import { type Command, commandGroups, keyName, lineOf } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { pluralOf } from "../../kit/kind-table.js";
import { Page } from "../../kit/page.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine, type Line } from "../../kit/text/segment.js";
import { fitText } from "../../kit/text/text-width.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** Every key that is bound, and the command line. */
export class HelpScreen implements Screen {
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #page = new Page();
  /** Only lines with these words are shown. */
  #wanted = "";
  readonly #everything: () => readonly Command[];

  /** `everything` are the commands of the whole program. */
  constructor(program: Program, everything: () => readonly Command[]) {
    this.#program = program;
    this.#everything = everything;
    this.commands = [
      ...pageCommands(program.model, this.#page),
      {
        id: "help.search",
        keys: ["/"],
        argument: "WORDS",
        title: "search: only what has these words",
        group: "Look",
        hint: { word: "search", rank: 1 },
        run: ({ argument }) => {
          const text = this.#wanted;
          const apply = (typed: string): void => {
            this.#wanted = typed;
          };
          askText(program.model, argument, { type: "filter", text, before: text, help: "words", apply });
        },
      },
    ];
  }

  title(): string {
    return "help";
  }

  draw(width: number, height: number): Body {
    const words = this.#wanted.toLowerCase().split(/\s+/);
    const hasAll = (line: Line): boolean => {
      const text = line
        .map((part) => part.text)
        .join("")
        .toLowerCase();
      return words.every((word) => text.includes(word));
    };
    const all = this.#lines(width);
    const shown = this.#wanted.trim() === "" ? all : all.filter(hasAll);
    const none: Line = [
      { text: `   nothing here has "${plainText(this.#wanted)}"; esc shows everything`, tone: "dim" },
    ];
    const body = pageBody(this.#page, shown.length === 0 ? [[], none] : shown, height);
    return this.#wanted === "" ? body : { ...body, facts: [{ text: ` /${plainText(this.#wanted)}`, tone: "warn" }] };
  }

  back(): boolean {
    const searched = this.#wanted !== "";
    this.#wanted = "";
    return searched;
  }

  subject(): Row | undefined {
    return undefined;
  }

  #lines(width: number): readonly Line[] {
    const { session, kinds } = this.#program.model;
    const { readOnly } = session;
    const commands = this.#everything().filter((command) => !(readOnly && command.changes === true));
    const lines: Line[] = [];
    for (const group of commandGroups) {
      lines.push([{ text: ` ${group}`, tone: "accent" }]);
      for (const command of commands) {
        if (command.group === group && command.keys.length > 0) lines.push(keyLine(command));
      }
      if (group === "Look") lines.push(...this.#moreKeys(width));
      lines.push([]);
    }
    lines.push([{ text: " Command line", tone: "accent" }]);
    const [, example = ""] = kinds.all.map(pluralOf);
    lines.push(helpLine(`:${example} [HOST] [/FILTER]`, "a table, of one host, filtered", 32));
    lines.push(...commands.flatMap(wordLine));
    lines.push([], [{ text: " Tables", tone: "accent" }], ...kinds.all.map(tableLine), ...this.#ownWords());
    if (readOnly) lines.push([], [{ text: " read-only: nothing can be changed from here", tone: "warn" }]);
    return lines.map((line) => cutLine(line, width));
  }

  /** Words of the user's own, and tables that were kept. */
  #ownWords(): readonly Line[] {
    const { aliases, views } = this.#program.settings.values;
    const words = Object.entries(aliases).map(([word, meaning]) => helpLine(`:${word}`, `:${meaning}`, 32));
    const kept = Object.entries(views).map(([name, { table, host = "", filter = "" }]) =>
      helpLine(`:view ${name}`, `${table} ${host} ${filter === "" ? "" : `/${filter}`}`.trim(), 32),
    );
    const title = (text: string): readonly Line[] => [[], [{ text, tone: "accent" }]];
    return [
      ...(words.length === 0 ? [] : [...title(" Your words"), ...words]),
      ...(kept.length === 0 ? [] : [...title(" Your views"), ...kept]),
    ];
  }

  /** The keys beside commands of the screen that the help was opened from. */
  #moreKeys(width: number): readonly Line[] {
    const screen = this.#program.model.screens.findLast((candidate) => candidate.moreKeys !== undefined);
    return (screen?.moreKeys?.(width - 20) ?? []).map(({ keys, title }) => helpLine(keys, title));
  }
}

function keyLine({ keys, title, dangerous }: Command): Line {
  const shown = keys.length > 3 ? `${keys[0] ?? ""} to ${keys.at(-1) ?? ""}` : keys.map(keyName).join(" ");
  return helpLine(shown, dangerous === true ? `${title} (asks first)` : title);
}

function wordLine(command: Command): readonly Line[] {
  const line = lineOf(command);
  return line === undefined ? [] : [helpLine(`:${line}`, command.title, 32)];
}

function tableLine(kind: TuiKind): Line {
  const known = findKindBySingular(kind.kind);
  const words = new Set([...(known === undefined ? [] : [known.singular, ...known.aliases]), ...(kind.words ?? [])]);
  words.delete(pluralOf(kind));
  return helpLine(`:${pluralOf(kind)}`, [...words].map((word) => `:${word}`).join(" "), 32);
}

function helpLine(keys: string, title: string, keyWidth = 14): Line {
  return [{ text: `   ${fitText(plainText(keys), keyWidth)} ` }, { text: plainText(title), tone: "dim" }];
}
