import { askText } from "../../kit/ask-text.js";
import type { Command } from "../../kit/keys/command.js";
import type { Row } from "../../kit/row.js";
import type { Body, BodyLine, Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { words } from "../../kit/spoken/words.js";
import { plainText } from "../../kit/text/plain-text.js";
import { fitText } from "../../kit/text/text-width.js";
import { back, moveCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** Something to choose. */
export interface MenuItem {
  readonly text: string;
  /** What it does or is, in a line. */
  readonly detail: string;
  run(): void;
}

/** What there is to choose from. */
export interface Menu {
  readonly title: string;
  /** The menu stays open when something was chosen. */
  readonly stays?: boolean;
  /** Said where there is nothing. */
  readonly empty?: string;
  items(): readonly MenuItem[];
}

/** Something is chosen with the cursor and enter. */
export class MenuScreen implements Screen {
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #menu: Menu;
  #cursor = 0;
  #top = 0;
  #height = 1;
  /** Only items with these words are shown. */
  #wanted = "";

  constructor(program: Program, menu: Menu) {
    this.#program = program;
    this.#menu = menu;
    this.commands = [
      ...moveCommands({ move: (by) => this.#move(by), page: (by) => this.#move(by * Math.max(1, this.#height - 1)) }),
      {
        id: "menu.choose",
        keys: ["enter", "space"],
        title: "choose it",
        group: "Look",
        hint: { word: "choose", rank: 1 },
        run: () => this.#choose(),
      },
      {
        id: "menu.filter",
        keys: ["/"],
        argument: "WORDS",
        title: "only what has these words",
        group: "Look",
        hint: { word: "filter", rank: 3 },
        run: ({ argument }) => {
          const text = this.#wanted;
          const apply = (typed: string): void => {
            [this.#wanted, this.#cursor] = [typed, 0];
          };
          askText(program.model, argument, { type: "filter", text, before: text, help: "words", apply });
        },
      },
      {
        id: "menu.back",
        keys: ["esc"],
        title: "back",
        group: "Look",
        hint: { word: "back", rank: 2 },
        run: () => back(program.model),
      },
    ];
  }

  get isPassing(): boolean {
    return this.#menu.stays !== true;
  }

  title(): string {
    return this.#menu.title;
  }

  back(): boolean {
    const wasFiltered = this.#wanted !== "";
    this.#wanted = "";
    return wasFiltered;
  }

  draw(width: number, height: number): Body {
    const items = this.#items();
    this.#height = height;
    this.#move(0);
    this.#top = Math.max(this.#cursor - height + 1, Math.min(this.#top, this.#cursor));
    const room = Math.min(40, Math.max(...items.map(({ text }) => text.length), 8), Math.floor(width / 2));
    const shown = items.slice(this.#top, this.#top + height);
    const lines: BodyLine[] = shown.map(({ text, detail }, index) => {
      const selected = this.#top + index === this.#cursor;
      return {
        line: [
          { text: `${selected ? "❯" : " "} `, tone: "accent" },
          { text: fitText(plainText(text), room), tone: "strong" },
          { text: `  ${plainText(detail)}`, tone: "dim" },
        ],
        selected,
      };
    });
    const nothing =
      this.#wanted === ""
        ? (this.#menu.empty ?? "there is nothing to choose from")
        : `nothing here has "${plainText(this.#wanted)}"; esc shows everything`;
    const none: BodyLine = { line: [{ text: `   ${nothing}`, tone: "dim" }] };
    return {
      ...(this.#wanted === "" ? {} : { facts: [{ text: ` /${plainText(this.#wanted)}`, tone: "warn" as const }] }),
      lines: lines.length === 0 ? [{ line: [] }, none] : lines,
      extent: { top: this.#top, shown: shown.length, length: items.length },
    };
  }

  say(): Spoken {
    return spokenLines(
      this.#menu.items().map(({ text, detail }, index) => ({
        text: words(plainText(detail === "" ? text : `${text}, ${detail}`)),
        pick: () => {
          this.#cursor = index;
          this.#choose();
        },
      })),
    );
  }

  subject(): Row | undefined {
    return undefined;
  }

  #items(): readonly MenuItem[] {
    const words = this.#wanted.toLowerCase().split(/\s+/);
    return this.#menu.items().filter(({ text, detail }) => {
      const all = `${text} ${detail}`.toLowerCase();
      return words.every((word) => all.includes(word));
    });
  }

  #move(by: number): void {
    this.#cursor = Math.max(0, Math.min(this.#items().length - 1, this.#cursor + by));
  }

  #choose(): void {
    const item = this.#items()[this.#cursor];
    const { model } = this.#program;
    if (item === undefined) {
      model.say("nothing to choose here");
      return;
    }
    if (this.#menu.stays !== true && model.screen === this) model.pop();
    item.run();
  }
}
