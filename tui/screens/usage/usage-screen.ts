import { askText } from "../../kit/ask-text.js";
import { formatAge } from "../../kit/format.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import type { Row } from "../../kit/row.js";
import type { Body, BodyLine, Screen } from "../../kit/screen.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line, Segment } from "../../kit/text/segment.js";
import { startState, type TopState, turnedState } from "../../kit/top/screen.js";
import { cellTexts, headTexts, orderText } from "../../kit/top/views.js";
import { showDetails } from "../detail/detail-screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { TopWindow } from "./top-window.js";

/**
 * What is used now by all of a kind, the most first: a window over that which the hub keeps in order. Leaving the screen ends the watching. As long as no row is chosen, the first ones are
 * shown, whichever they are; the cursor stays on what was chosen, wherever that goes.
 */
export class UsageScreen implements Screen {
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #left = new AbortController();
  #state: TopState;
  readonly #window: TopWindow;
  /** The line that the cursor is on; of one that was not told of yet the place alone is known. */
  #chosen: { readonly resource: string; readonly end: number; readonly index: number } | undefined;
  #top = 0;
  #height = 1;

  /** @param word of the view that it begins with: "hosts", "instances", "links", "lans" or "wires". */
  constructor(program: Program, word: string) {
    this.#program = program;
    this.#state = startState(word);
    this.#window = new TopWindow(program, () => program.model.changed(), this.#left.signal);
    this.commands = this.#makeCommands();
    this.#follow();
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
    const { length, trouble } = this.#window;
    const at = this.#settle();
    this.#height = Math.max(1, height - 1);
    const lowest = Math.max(0, length - this.#height);
    const wanted = at < 0 ? this.#top : Math.min(Math.max(this.#top, at - this.#height + 1), at);
    this.#top = Math.max(0, Math.min(lowest, wanted));
    this.#follow();
    const shown = Math.min(this.#height, length - this.#top);
    const faded = trouble !== "";
    const lines = Array.from({ length: shown }, (_, index): BodyLine => {
      const row = this.#window.at(this.#top + index)?.row;
      return {
        line: [row === undefined ? { text: "…", tone: "dim" } : { text: cellTexts(row, view, width) }],
        faded,
        ...(this.#top + index === at ? { selected: true } : {}),
      };
    });
    const head: BodyLine = { line: [{ text: headTexts(view, width), tone: "strong" }], faded };
    return {
      lines: length === 0 ? [head, { line: [{ text: `   ${this.#nothing()}`, tone: "dim" }] }] : [head, ...lines],
      extent: { top: this.#top, shown, length },
      facts: this.#facts(),
      ...(trouble === "" ? {} : { aside: trouble }),
    };
  }

  subject(): Row | undefined {
    const { model } = this.#program;
    this.#settle();
    const name = this.#chosen?.resource ?? "";
    const kind = name === "" ? undefined : model.kinds.findByName(name);
    return kind === undefined ? undefined : model.fleet.find(kind.kind, name);
  }

  click({ line, isDouble }: { readonly line: number; readonly isDouble: boolean }): void {
    const index = this.#top + line - 1;
    if (line === 0 || index >= this.#window.length) return;
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

  /** Place of the cursor; what it was on may be gone: then it stays at its place. -1: nothing is chosen. */
  #settle(): number {
    if (this.#chosen === undefined) return -1;
    const { resource, end, index } = this.#chosen;
    const found = resource === "" ? -1 : this.#window.indexOf(resource, end);
    if (found >= 0) this.#chosen = { resource, end, index: found };
    // As long as it is there it is looked for.
    else if (resource === "" || this.#window.isMissing(resource) || !this.#isThere(resource))
      this.#choose(Math.min(index, this.#window.length - 1));
    return this.#chosen?.index ?? -1;
  }

  #isThere(name: string): boolean {
    const { model } = this.#program;
    const kind = model.kinds.findByName(name);
    return kind !== undefined && model.fleet.find(kind.kind, name) !== undefined;
  }

  #choose(index: number): void {
    const { resource = "", end = 0 } = this.#window.at(index) ?? {};
    this.#chosen = index < 0 ? undefined : { resource, end, index };
  }

  #move(by: number): void {
    const at = this.#settle();
    const last = this.#window.length - 1;
    // The first key chooses what is seen first.
    const to = at < 0 ? (Number.isFinite(by) ? this.#top : by < 0 ? 0 : last) : at + by;
    this.#choose(Math.max(0, Math.min(last, to)));
  }

  /** Asks for what is on the screen. */
  #follow(): void {
    const { view, order, filter } = this.#state;
    const place = { top: this.#top, height: this.#height, chosen: this.#chosen?.resource ?? "" };
    this.#window.follow(view, { order, filter }, place);
  }

  #turn(state: TopState): void {
    const isOther = state.view !== this.#state.view;
    if (isOther) this.#window.forget();
    // Whoever asks for something else sees the first of it, unless a row was chosen, which is followed.
    if (isOther || state.filter !== this.#state.filter) this.#chosen = undefined;
    if (this.#chosen === undefined) this.#top = 0;
    this.#state = state;
    this.#follow();
    this.#program.model.changed();
  }

  #nothing(): string {
    if (this.#window.heardAtMs === undefined) return "waiting for figures";
    const { view, filter } = this.#state;
    const few = `no ${view.word} are measured`;
    return filter === "" ? few : `nothing here has "${plainText(filter)}"; esc shows everything`;
  }

  #facts(): Line {
    const { filter } = this.#state;
    const { total, heardAtMs } = this.#window;
    const facts: Segment[] = [];
    if (total > 0) facts.push({ text: ` ${total}`, tone: "strong" });
    if (filter !== "") facts.push({ text: ` /${plainText(filter)}`, tone: "warn" });
    if (heardAtMs !== undefined) {
      facts.push({ text: ` ${formatAge(this.#program.model.nowMs - heardAtMs)} old`, tone: "dim" });
    }
    return facts;
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
