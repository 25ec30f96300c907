import { messageOf } from "../../../lib/errors.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { Page } from "../../kit/page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
import { escapeText } from "../../kit/text/escape.js";
import type { Line } from "../../kit/text/segment.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** Kinds of which there are logs: what instances say, and agents of hosts. */
export const loggedKinds: ReadonlySet<string> = new Set(["instance", "host"]);

/** Lines that are kept; the oldest go. */
const mostLines = 2000;
/** Of a line, at most. */
const longestLine = 4096;

interface Shown {
  readonly text: string;
  readonly tone?: "dim" | "bad";
}

/** The log of an instance, or of a host's agent, as it is written; leaving the screen ends it. */
export class LogScreen implements Screen {
  readonly kind: TuiKind;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #name: string;
  readonly #left = new AbortController();
  readonly #page = new Page();
  #lines: Shown[] = [];
  /** What is drawn is the end, whatever comes. */
  #isAtEnd = true;
  #isOpen = true;

  /** Begins to follow. @param kind singular of what it is the log of. */
  constructor(program: Program, kind: string, name: string) {
    this.#program = program;
    this.#name = name;
    this.kind = program.model.kinds.get(kind);
    this.commands = pageCommands(program.model, {
      move: (by) => this.#move(() => this.#page.move(by), by),
      page: (by) => this.#move(() => this.#page.page(by), by),
    });
    void this.#follow();
  }

  title(): string {
    return `log of ${this.kind.kind === "host" ? "agent " : ""}${shortName(this.#name)}`;
  }

  draw(width: number, height: number): Body {
    const lines = this.#lines.flatMap(({ text, tone }): Line[] =>
      wrapText(text, width - 2).map((part) => [{ text: ` ${part}`, ...(tone === undefined ? {} : { tone }) }]),
    );
    if (this.#isAtEnd) this.#page.move(lines.length);
    const body = pageBody(this.#page, lines, height);
    const { top, shown, length } = { ...body.extent, shown: body.lines.length };
    this.#isAtEnd ||= top + shown >= length;
    const what = this.#isOpen ? (this.#isAtEnd ? "following" : "not at the end; G follows again") : "it has ended";
    return { ...body, facts: [{ text: ` ${what}`, tone: "dim" }] };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(this.kind.kind, this.#name);
  }

  targets(): readonly Row[] {
    const row = this.subject();
    return row === undefined ? [] : [row];
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new LogScreen(this.#program, this.kind.kind, this.#name);
  }

  #move(move: () => void, by: number): void {
    if (by < 0) this.#isAtEnd = false;
    else if (by === Number.POSITIVE_INFINITY) this.#isAtEnd = true;
    move();
  }

  async #follow(): Promise<void> {
    const { model, log } = this.#program;
    const stop = AbortSignal.any([this.#program.signal, this.#left.signal]);
    const onNotice = (text: string): void => this.#add({ text: `[it ${text}]`, tone: "dim" });
    try {
      for await (const { text } of this.#program.followLog(this.#name, { signal: stop, onNotice })) {
        this.#add({ text: text.slice(0, longestLine) });
      }
      this.#add({ text: "[the log ended]", tone: "dim" });
    } catch (error) {
      if (stop.aborted) return;
      log.warn({ err: error, resource: this.#name }, "a log could not be followed");
      this.#add({ text: `[${messageOf(error)}]`, tone: "bad" });
    }
    this.#isOpen = false;
    model.changed();
  }

  #add({ text, ...rest }: Shown): void {
    this.#lines.push({ text: escapeText(text.replaceAll("\t", "    ")), ...rest });
    if (this.#lines.length > mostLines) this.#lines.splice(0, this.#lines.length - mostLines);
    this.#program.model.changed();
  }
}
