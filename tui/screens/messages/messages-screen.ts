import { askText } from "../../kit/ask-text.js";
import { formatAge } from "../../kit/format.js";
import type { Command } from "../../kit/keys/command.js";
import type { Message } from "../../kit/message-log.js";
import { Page } from "../../kit/page.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line } from "../../kit/text/segment.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** Room for the clock and the level. */
const indent = 17;

const levels = { bad: "✗ error", warn: "! warning" } as const;

/** Everything that was said at the bottom, the newest first. */
export class MessagesScreen implements Screen {
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #page = new Page();
  #filter = "";

  constructor(program: Program) {
    const { model } = program;
    this.#program = program;
    this.commands = [
      ...pageCommands(model, this.#page),
      {
        id: "messages.filter",
        keys: ["/"],
        argument: "WORDS",
        title: "filter: words that a message or its level has",
        group: "Look",
        hint: { word: "filter", rank: 3 },
        run: ({ argument }) => {
          askText(model, argument, {
            type: "filter",
            text: this.#filter,
            before: this.#filter,
            help: "words",
            apply: (text) => {
              this.#filter = text;
            },
          });
        },
      },
    ];
  }

  title(): string {
    return "messages";
  }

  draw(width: number, height: number): Body {
    const { messages, nowMs } = this.#program.model;
    const words = this.#filter.toLowerCase().split(/\s+/);
    const found = messages.all.filter((message) => {
      const text = `${levelOf(message)} ${message.text}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const lines = [...found].reverse().flatMap((message) => messageLines(message, width, nowMs));
    const count =
      found.length === messages.all.length ? `${found.length}` : `${found.length} of ${messages.all.length}`;
    const facts: Line = [
      { text: ` ${count}`, tone: "strong" },
      ...(this.#filter === "" ? [] : [{ text: ` /${plainText(this.#filter)}`, tone: "warn" as const }]),
    ];
    const none: Line = [{ text: "   nothing was said", tone: "dim" }];
    return { ...pageBody(this.#page, lines.length === 0 ? [[], none] : lines, height), facts };
  }

  subject(): Row | undefined {
    return undefined;
  }

  back(): boolean {
    const hasFilter = this.#filter !== "";
    this.#filter = "";
    return hasFilter;
  }

  line(): string {
    return "messages";
  }
}

function levelOf({ tone }: Message): string {
  return tone === "bad" || tone === "warn" ? levels[tone] : "info";
}

function messageLines(message: Message, width: number, nowMs: number): readonly Line[] {
  const { text, tone, atMs, times } = message;
  const age = formatAge(Math.max(0, nowMs - atMs)).padStart(5);
  const said = times > 1 ? `${plainText(text)} (${times} times)` : plainText(text);
  const [first = "", ...more] = wrapText(said, Math.max(10, width - indent - 1));
  const level = tone === "bad" || tone === "warn" ? tone : "dim";
  return [
    [{ text: ` ${age} `, tone: "dim" }, { text: levelOf(message).padEnd(10), tone: level }, { text: first }],
    ...more.map((line): Line => [{ text: `${" ".repeat(indent)}${line}` }]),
  ];
}
