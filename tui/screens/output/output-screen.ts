import { messageOf } from "../../../lib/errors.js";
import type { Command } from "../../kit/keys/command.js";
import { Page } from "../../kit/page.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { escapeText } from "../../kit/text/escape.js";
import type { Line } from "../../kit/text/segment.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** Lines kept; the oldest go. */
const mostLines = 5000;
const longestLine = 4096;

/** Runs something and tells what it says, until the signal ends it; resolves to its exit code. */
export type Running = (onText: (text: string) => void, signal: AbortSignal) => Promise<number>;

/** What a program says that runs behind; leaving the screen ends the program. */
export class OutputScreen implements Screen {
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #title: string;
  readonly #left = new AbortController();
  readonly #page = new Page();
  #lines: string[] = [];
  #rest = "";
  #state = "runs; leaving this ends it";
  #hasFailed = false;
  #isAtEnd = true;
  /** Lines that came, whether they are kept or not. */
  #count = 0;

  constructor(program: Program, title: string, running: Running) {
    this.#program = program;
    this.#title = title;
    const moving = (move: () => void, by: number): void => {
      this.#isAtEnd = by === Number.POSITIVE_INFINITY;
      move();
    };
    this.commands = pageCommands(program.model, {
      move: (by) => moving(() => this.#page.move(by), by),
      page: (by) => moving(() => this.#page.page(by), by),
    });
    void this.#follow(running);
  }

  title(): string {
    return this.#title;
  }

  draw(width: number, height: number): Body {
    const lines = [...this.#lines, ...(this.#rest === "" ? [] : [this.#rest])].flatMap((text): Line[] =>
      wrapText(escapeText(text.replaceAll("\t", "    ")), width - 2).map((part) => [{ text: ` ${part}` }]),
    );
    if (this.#isAtEnd) this.#page.move(lines.length);
    const body = pageBody(this.#page, lines, height);
    this.#isAtEnd ||= body.extent.top + body.lines.length >= lines.length;
    return { ...body, facts: [{ text: ` ${this.#state}`, tone: this.#hasFailed ? "bad" : "dim" }] };
  }

  say(): Spoken {
    const say = (text: string): string => escapeText(text.replaceAll("\t", "    "));
    return {
      ...spokenLines(this.#lines.map((text) => ({ text: say(text) }))),
      news: {
        last: this.#count,
        since: (number) => (number >= this.#count ? [] : this.#lines.slice(number - this.#count).map(say)),
      },
    };
  }

  subject(): Row | undefined {
    return undefined;
  }

  closed(): void {
    this.#left.abort();
  }

  async #follow(running: Running): Promise<void> {
    const { model, signal } = this.#program;
    try {
      const code = await running((text) => this.#add(text), AbortSignal.any([signal, this.#left.signal]));
      this.#hasFailed = code !== 0;
      this.#state = code === 0 ? "it has ended" : `it has ended with ${code}`;
    } catch (error) {
      this.#hasFailed = true;
      this.#state = messageOf(error);
    }
    model.changed();
  }

  #add(text: string): void {
    const parts = (this.#rest + text).split(/\r?\n/);
    this.#rest = (parts.pop() ?? "").slice(0, longestLine);
    this.#count += parts.length;
    this.#lines.push(...parts.map((line) => line.slice(0, longestLine)));
    if (this.#lines.length > mostLines) this.#lines = this.#lines.slice(-mostLines);
    this.#program.model.changed();
  }
}
