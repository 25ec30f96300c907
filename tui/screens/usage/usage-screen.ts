import { messageOf } from "../../../lib/errors.js";
import type { Watched } from "../../../lib/figures/decoder.js";
import type { Command } from "../../kit/keys/command.js";
import { Page } from "../../kit/page.js";
import type { Row } from "../../kit/row.js";
import type { Body, Screen } from "../../kit/screen.js";
import { startState, type TopState, turnedState } from "../../kit/top/screen.js";
import { cellTexts, headTexts, topRows } from "../../kit/top/views.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** What is used now by all of a kind, the most first; leaving the screen ends the watching. */
export class UsageScreen implements Screen {
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #left = new AbortController();
  readonly #page = new Page();
  #state: TopState;
  #all: readonly Watched[] = [];
  #trouble = "";
  #hasNews = false;

  /** @param word of the view that it begins with: "hosts", "instances", "links", "lans" or "wires". */
  constructor(program: Program, word: string) {
    this.#program = program;
    this.#state = startState(word);
    const turn = (how: Parameters<typeof turnedState>[1]) => (): void => {
      this.#state = turnedState(this.#state, how);
      program.model.changed();
    };
    const group = "Look";
    this.commands = [
      ...pageCommands(program.model, { move: (by) => this.#page.move(by), page: (by) => this.#page.page(by) }),
      {
        keys: ["tab"],
        title: "the next kind of what is measured",
        group,
        hint: { word: "kind", rank: 3 },
        run: turn("view"),
      },
      {
        keys: [">"],
        title: "sort by the next column",
        group,
        hint: { word: "sort", rank: 4 },
        run: turn("next-column"),
      },
      { keys: ["<"], title: "sort by the column before", group, run: turn("column-before") },
      {
        keys: ["R"],
        title: "the least first, or the most",
        group,
        hint: { word: "turn", rank: 5 },
        run: turn("order"),
      },
    ];
    void this.#watch();
  }

  title(): string {
    const { view, sort, isReversed } = this.#state;
    return `use of ${view.word} by ${sort}${isReversed ? ", the least first" : ""}`;
  }

  draw(width: number, height: number): Body {
    const { view } = this.#state;
    const rows = topRows(this.#all, view, this.#state);
    const body = rows.map((row) => [{ text: cellTexts(row, view, width) }]);
    const room = Math.max(1, height - 1);
    const shown = this.#page.window(body, room);
    const nothing = this.#hasNews ? `no ${view.word} are measured` : "waiting for figures";
    const lines = [
      [{ text: headTexts(view, width), tone: "strong" as const }],
      ...(rows.length === 0 ? [[{ text: `   ${nothing}`, tone: "dim" as const }]] : shown),
    ];
    return {
      lines: lines.map((line) => ({ line, faded: this.#trouble !== "" })),
      extent: { top: this.#page.top, shown: shown.length, length: rows.length },
      ...(this.#trouble === "" ? {} : { aside: this.#trouble }),
    };
  }

  subject(): Row | undefined {
    return undefined;
  }

  targets(): readonly Row[] {
    return [];
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new UsageScreen(this.#program, this.#state.view.word);
  }

  async #watch(): Promise<void> {
    const { model, figures, signal, log } = this.#program;
    const stop = AbortSignal.any([signal, this.#left.signal]);
    try {
      await figures.watch(({ all, trouble }) => {
        [this.#all, this.#trouble, this.#hasNews] = [[...all], trouble, true];
        model.changed();
      }, stop);
    } catch (error) {
      if (stop.aborted) return;
      log.warn({ err: error }, "figures cannot be watched");
      this.#trouble = messageOf(error);
      model.changed();
    }
  }
}
