import { messageOf } from "../../../lib/errors.js";
import type { Watched } from "../../../lib/figures/decoder.js";
import { askText } from "../../kit/ask-text.js";
import { formatAge } from "../../kit/format.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import type { Row } from "../../kit/row.js";
import type { Body, BodyLine, Screen } from "../../kit/screen.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line, Segment } from "../../kit/text/segment.js";
import { startState, type TopState, turnedState } from "../../kit/top/screen.js";
import { cellTexts, headTexts, orderText, type TopRow, topRows } from "../../kit/top/views.js";
import { showDetails } from "../detail/detail-screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/**
 * What is used now by all of a kind, the most first; leaving the screen ends the watching. As long as no row is chosen, the first ones are
 * shown, whichever they are; the cursor stays on what was chosen, wherever that goes.
 */
export class UsageScreen implements Screen {
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #left = new AbortController();
  #state: TopState;
  #all: readonly Watched[] = [];
  /** Those of the view, in order; made when they are asked for. */
  #rows: readonly TopRow[] | undefined;
  /** What the cursor is on, and its place when that was last there. */
  #chosen: { readonly name: string; readonly index: number } | undefined;
  #top = 0;
  #height = 1;
  #trouble = "";
  #heardAtMs: number | undefined;

  /** @param word of the view that it begins with: "hosts", "instances", "links", "lans" or "wires". */
  constructor(program: Program, word: string) {
    this.#program = program;
    this.#state = startState(word);
    this.commands = this.#makeCommands();
    void this.#watch();
  }

  get kind(): TuiKind | undefined {
    const row = this.subject();
    return row === undefined ? undefined : this.#program.model.kinds.find(row.kind);
  }

  title(): string {
    const { view, order } = this.#state;
    return `use of ${view.word} by ${orderText(order)}`;
  }

  line(): string {
    return `top ${this.#state.view.word}`;
  }

  draw(width: number, height: number): Body {
    const { view } = this.#state;
    const rows = this.#read();
    const at = this.#settle();
    this.#height = Math.max(1, height - 1);
    const lowest = Math.max(0, rows.length - this.#height);
    const wanted = at < 0 ? this.#top : Math.min(Math.max(this.#top, at - this.#height + 1), at);
    this.#top = Math.max(0, Math.min(lowest, wanted));
    const shown = rows.slice(this.#top, this.#top + this.#height);
    const faded = this.#trouble !== "";
    const lines = shown.map(
      (row, index): BodyLine => ({
        line: [{ text: cellTexts(row, view, width) }],
        faded,
        ...(this.#top + index === at ? { selected: true } : {}),
      }),
    );
    const head: BodyLine = { line: [{ text: headTexts(view, width), tone: "strong" }], faded };
    return {
      lines: rows.length === 0 ? [head, { line: [{ text: `   ${this.#nothing()}`, tone: "dim" }] }] : [head, ...lines],
      extent: { top: this.#top, shown: shown.length, length: rows.length },
      facts: this.#facts(),
      ...(this.#trouble === "" ? {} : { aside: this.#trouble }),
    };
  }

  subject(): Row | undefined {
    const { model } = this.#program;
    const row = this.#read()[this.#settle()];
    const kind = row === undefined ? undefined : model.kinds.findByName(row.resource);
    return row === undefined || kind === undefined ? undefined : model.fleet.find(kind.kind, row.resource);
  }

  click({ line, isDouble }: { readonly line: number; readonly isDouble: boolean }): void {
    const index = this.#top + line - 1;
    if (line === 0 || index >= this.#read().length) return;
    this.#choose(index);
    if (isDouble) showDetails(this.#program, false);
  }

  back(): boolean {
    if (this.#chosen !== undefined) this.#chosen = undefined;
    else if (this.#state.filter !== "") this.#turn({ ...this.#state, filter: "" });
    else return false;
    return true;
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new UsageScreen(this.#program, this.#state.view.word);
  }

  /** The rows, put in order once for what is known. */
  #read(): readonly TopRow[] {
    this.#rows ??= topRows(this.#all, this.#state.view, this.#state);
    return this.#rows;
  }

  /** Place of the cursor; what it was on may be gone: then it stays at its place. -1: nothing is chosen. */
  #settle(): number {
    if (this.#chosen === undefined) return -1;
    const { name, index } = this.#chosen;
    const rows = this.#read();
    const found = rows[index]?.name === name ? index : rows.findIndex((row) => row.name === name);
    this.#choose(found >= 0 ? found : Math.min(index, rows.length - 1));
    return this.#chosen?.index ?? -1;
  }

  #choose(index: number): void {
    const row = this.#read()[index];
    this.#chosen = row === undefined ? undefined : { name: row.name, index };
  }

  #move(by: number): void {
    const at = this.#settle();
    const last = this.#read().length - 1;
    // The first key chooses what is seen first.
    const to = at < 0 ? (Number.isFinite(by) ? this.#top : by < 0 ? 0 : last) : at + by;
    this.#choose(Math.max(0, Math.min(last, to)));
  }

  #turn(state: TopState): void {
    if (state.view !== this.#state.view) [this.#chosen, this.#top] = [undefined, 0];
    this.#state = state;
    this.#rows = undefined;
    this.#program.model.changed();
  }

  #nothing(): string {
    if (this.#heardAtMs === undefined) return "waiting for figures";
    const { view, filter } = this.#state;
    const few = `no ${view.word} are measured`;
    return filter === "" ? few : `nothing here has "${plainText(filter)}"; esc shows everything`;
  }

  #facts(): Line {
    const { filter } = this.#state;
    const count = this.#read().length;
    const facts: Segment[] = [];
    if (count > 0) facts.push({ text: ` ${count}`, tone: "strong" });
    if (filter !== "") facts.push({ text: ` /${plainText(filter)}`, tone: "warn" });
    if (this.#heardAtMs !== undefined) {
      facts.push({ text: ` ${formatAge(this.#program.model.nowMs - this.#heardAtMs)} old`, tone: "dim" });
    }
    return facts;
  }

  async #watch(): Promise<void> {
    const { model, figures, signal, log } = this.#program;
    const stop = AbortSignal.any([signal, this.#left.signal]);
    try {
      await figures.watch(({ all, trouble }) => {
        [this.#all, this.#trouble, this.#rows] = [[...all], trouble, undefined];
        // What is told while nothing answers is what was known.
        if (trouble === "" || this.#heardAtMs === undefined) this.#heardAtMs = model.nowMs;
        model.changed();
      }, stop);
    } catch (error) {
      if (stop.aborted) return;
      log.warn({ err: error }, "figures cannot be watched");
      this.#trouble = messageOf(error);
      model.changed();
    }
  }

  #makeCommands(): readonly Command[] {
    const { model } = this.#program;
    const group = "Look";
    const turn = (how: Parameters<typeof turnedState>[1]) => (): void => this.#turn(turnedState(this.#state, how));
    return [
      ...pageCommands(model, {
        move: (by) => this.#move(by),
        page: (by) => this.#move(by * Math.max(1, this.#height - 1)),
      }),
      {
        id: "open",
        keys: ["enter"],
        title: "details of what the cursor is on; up and down put it there",
        group,
        hint: { word: "open", rank: 1 },
        run: () => {
          if (this.subject() === undefined) model.say("choose a row first, with up and down");
          else showDetails(this.#program, false);
        },
      },
      {
        id: "filter",
        keys: ["/"],
        argument: "NAME",
        title: "only names that hold this",
        group,
        hint: { word: "filter", rank: 3 },
        run: ({ argument }) => {
          const text = this.#state.filter;
          const apply = (typed: string): void => this.#turn({ ...this.#state, filter: typed.trim() });
          askText(model, argument, { type: "filter", text, before: text, help: "a part of a name", apply });
        },
      },
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
      { keys: ["&"], title: "sort what is the same so far by another column", group, run: turn("also") },
      {
        keys: ["R"],
        title: "the least first, or the most",
        group,
        hint: { word: "turn", rank: 5 },
        run: turn("order"),
      },
    ];
  }
}
