import type { Controller } from "../app/controller.js";
import { messageOf } from "../../lib/errors.js";
import type { Command } from "../kit/keys/command.js";
import type { Prompt } from "../kit/prompt.js";
import type { Spoken } from "../kit/spoken/spoken.js";
import type { Screen } from "../kit/screen.js";
import { plainText } from "../kit/text/plain-text.js";
import { FormScreen } from "../screens/form/form-screen.js";
import { back } from "../screens/move-commands.js";
import type { Program } from "../screens/program.js";
import { TableScreen } from "../screens/table/table-screen.js";
import { FormFiller } from "./form-filler.js";
import { Listing } from "./listing.js";
import { Meaning } from "./meaning.js";
import { filterBy, markRows } from "./narrowing.js";
import { NewsTeller } from "./news-teller.js";
import { ownCommands } from "./own-commands.js";
import { questionLines } from "./question.js";
import type { Reading } from "./reading.js";
import { RowFinder } from "./row-finder.js";
import { drawnWords, headingOf, wordsOfScreen } from "./screen-words.js";
import { completionsOf } from "./vocabulary.js";

/** How a reader is set up. */
export interface ReaderOptions {
  readonly program: Program;
  readonly controller: Controller;
  /** Lines that are said at a time. */
  readonly page: number;
  /** Screens that are opened are said when {@link Reader.look} is called, not at once. Default: at once. */
  readonly waits?: boolean;
  /** Says lines, at once. They are safe for terminals. */
  say(lines: readonly string[]): void;
}

/**
 * The terminal program in lines: what is typed is done as on the full screen, with the same commands, and what that would show is said.
 * Nothing is drawn, and nothing that was said changes.
 */
export class Reader implements Reading {
  readonly program: Program;
  readonly news: NewsTeller;
  readonly #controller: Controller;
  readonly #say: (lines: readonly string[]) => void;
  readonly #waits: boolean;
  readonly #rows: RowFinder;
  readonly #forms: FormFiller;
  readonly #meaning: Meaning;
  page: number;
  #listing = new Listing({ length: 0, lines: () => [] });
  /** Of the screens that were said. */
  readonly #listings = new WeakMap<Screen, Listing>();
  /** Times that something was said. */
  #count = 0;
  #screen: Screen | undefined;
  #heading = "";
  /** A line of this screen was chosen: commands without names are about it. */
  #hasPicked = false;
  #asked: Prompt | undefined;
  /** Something that was asked for was not done. */
  hasFailed = false;

  constructor({ program, controller, page, waits = false, say }: ReaderOptions) {
    this.#waits = waits;
    this.program = program;
    this.#controller = controller;
    this.page = page;
    this.#say = (lines) => {
      this.#count += 1;
      say(lines);
    };
    this.#rows = new RowFinder(program, () => this.#listing);
    this.#forms = new FormFiller((chord) => controller.press(chord));
    this.#meaning = new Meaning(this, controller, this.#rows);
    this.news = new NewsTeller(program.model);
    program.model.messages.listen((text, tone) => {
      if (tone === "bad" || tone === "warn") this.hasFailed = true;
      this.#say([plainText(text)]);
    });
  }

  /** What stands before what is typed: short, for it is heard each time. */
  get prompt(): string {
    return this.program.model.prompt === undefined ? "> " : "? ";
  }

  /** What may follow what is typed: whole lines. */
  completions(line: string): readonly string[] {
    const { prompt } = this.program.model;
    if (prompt !== undefined) return this.#controller.completions().lines;
    return completionsOf(this, line);
  }

  /** What can be given here, without what only moves a cursor. */
  get commands(): readonly Command[] {
    return [...ownCommands(this), ...this.#controller.commands.filter(({ group }) => group !== "Move")];
  }

  /** A line was typed. */
  take(line: string): void {
    const { model } = this.program;
    model.hush();
    const { prompt, screen, fleet } = model;
    const before = { waiting: fleet.pending.size, said: this.#count, text: this.beginning };
    try {
      if (prompt !== undefined) this.#answer(prompt, line.trim());
      else this.#do(line.trim());
    } catch (error) {
      this.fail(messageOf(error));
    }
    this.news.expect();
    model.changed();
    if (this.#waits && model.prompt === undefined && this.isUnsaid) return;
    this.look();
    if (model.prompt !== undefined || model.screen !== screen) return;
    if (headingOf(screen) !== this.#heading) this.where();
    // That nothing is said is never an answer.
    if (this.#count > before.said) return;
    if (fleet.pending.size > before.waiting) this.say(["asked"]);
    else if (this.beginning === before.text) this.where();
    else this.list();
  }

  /** Says what has come up by itself: another screen, a question, what is thought of a form. */
  look(): void {
    const { prompt, screen } = this.program.model;
    if (prompt !== undefined) {
      if (prompt !== this.#asked) this.#ask(prompt);
      return;
    }
    this.#asked = undefined;
    const known = this.#listings.get(screen);
    if (screen !== this.#screen && known !== undefined) this.#backTo(screen, known);
    else if (screen !== this.#screen) this.list();
    else if (screen instanceof FormScreen && headingOf(screen) !== this.#heading) this.where();
  }

  /** What was said of a screen that was left still holds, with its numbers. */
  #backTo(screen: Screen, listing: Listing): void {
    this.#screen = screen;
    this.#listing = listing;
    this.where();
    const row = screen instanceof TableScreen ? screen.subject() : undefined;
    this.#hasPicked = row !== undefined && listing.numberOf(row.name) !== undefined;
    if (row !== undefined && this.#hasPicked)
      this.#say([`${listing.numberOf(row.name) ?? ""}. ${this.#rows.words(row.name) ?? ""}`]);
    this.news.follow(screen, () => this.#spoken());
  }

  /** What the screen says at first: it is whole when that stays. */
  get beginning(): string {
    return this.#spoken()
      .lines(0, 50)
      .map(({ text }) => text)
      .join("\n");
  }

  /** The screen was changed, and was not said yet. */
  get isUnsaid(): boolean {
    return this.program.model.screen !== this.#screen;
  }

  /** Ctrl-C: ends what goes on, and leaves what is asked. False: nothing does. */
  interrupt(): boolean {
    const { model } = this.program;
    if (model.prompt !== undefined) {
      model.prompt = undefined;
      this.#say(["left as it is"]);
      return true;
    }
    if (!this.news.stop()) return false;
    this.#say(["it is not followed any more"]);
    return true;
  }

  /** What was asked for cannot be done. */
  fail(text: string): void {
    this.hasFailed = true;
    this.#say([plainText(text)]);
  }

  say(lines: readonly string[]): void {
    this.#say(lines);
  }

  /** Where the person is, and how that stands. */
  where(): void {
    this.#heading = headingOf(this.program.model.screen);
    this.#say([this.#heading]);
  }

  /** The screen from its beginning. */
  list(): void {
    const { screen } = this.program.model;
    const isOther = screen !== this.#screen;
    this.#screen = screen;
    if (isOther) this.#hasPicked = false;
    const spoken = this.#spoken();
    this.#listing = new Listing(spoken.length === 0 ? drawnWords(screen) : spoken);
    this.#listings.set(screen, this.#listing);
    this.where();
    this.more();
    this.news.follow(screen, () => this.#spoken());
  }

  /** The next page of what is said. */
  more(): void {
    const lines = this.#listing.next(this.page);
    const { left, length } = this.#listing;
    const rest = left === 0 ? [] : [`${length - left} of ${length}; more says the next`];
    this.#say(lines.length === 0 ? ["that was all; list says it again"] : [...lines, ...rest]);
  }

  /** To the next line that can be chosen, or the one before. */
  step(by: 1 | -1): void {
    const row = this.program.model.screen.subject();
    const at = this.#hasPicked && row !== undefined ? (this.#listing.numberOf(row.name) ?? 0) : 0;
    while (by > 0 && at + by > this.#listing.choices && this.#listing.left > 0) this.#listing.next(this.page);
    this.#pick(Math.max(1, at + by));
  }

  back(): void {
    const { model } = this.program;
    const { screen } = model;
    this.news.stop();
    back(model);
    if (screen === model.screen && model.screens.length === 1) this.#say(["there is nothing behind this; quit ends"]);
  }

  /** Marks rows, or takes marks away. */
  mark(text: string, isMarked: boolean): void {
    const { screen, nowMs } = this.program.model;
    if (!(screen instanceof TableScreen)) this.fail("there are no rows to mark here");
    else markRows(screen.table, { text, isMarked, nowMs, find: (names) => this.#rows.find(names) });
  }

  #do(line: string): void {
    const { screen } = this.program.model;
    if (screen instanceof FormScreen && this.#forms.take(screen, line)) {
      this.#listing = new Listing(this.#spoken());
      this.#say(this.#forms.said);
    } else if (line === "") this.#enter();
    else if (line.startsWith("/")) this.narrow(line.slice(1).trim());
    else if (/^\d+$/.test(line)) this.#pick(Number(line));
    else {
      const given = line.replace(/^:\s*/, "");
      this.#remember(given);
      this.#meaning.of(given)();
    }
  }

  /** A person knows which row is meant. */
  get isSure(): boolean {
    const { screen } = this.program.model;
    return !(screen instanceof TableScreen) || this.#hasPicked || screen.table.marked.size > 0;
  }

  #enter(): void {
    const { screen } = this.program.model;
    const id = screen instanceof TableScreen ? "details" : undefined;
    const command = this.#controller.commands.find((each) =>
      id === undefined ? each.keys.includes("enter") : each.id === id,
    );
    if (!this.#hasPicked || command === undefined) this.more();
    else command.run({ chord: "enter", argument: "" });
  }

  #pick(number: number): void {
    const line = this.#listing.pick(number);
    if (line === undefined) {
      const { choices } = this.#listing;
      this.fail(choices === 0 ? "nothing can be chosen here" : `there is no ${number}; say 1 to ${choices}`);
      return;
    }
    const { screen } = this.program.model;
    line.pick?.();
    this.#hasPicked = true;
    if (this.program.model.screen !== screen) return;
    if (line.name !== undefined)
      this.#say([`${number}. ${this.#rows.words(line.name) ?? `${line.text}, which is gone`}`]);
    // What was chosen may have turned something.
    else
      this.#say(
        new Listing(this.#spoken()).next(this.#listing.length).filter((each) => each.startsWith(`${number}. `)),
      );
  }

  /** Puts the cursor on a row of the kind in view; on a screen that is about something else the table is gone to. */
  choose(name: string, isSilent = false): void {
    const { screen } = this.program.model;
    const { kind } = screen;
    if (screen instanceof TableScreen) {
      screen.table.select(name);
      // A filter leaves it out: the cursor would stay on something else.
      if (screen.subject()?.name !== name && kind !== undefined) this.#openTable(kind.kind, name);
    } else if (screen.subject()?.name !== name && kind !== undefined) {
      screen.goTo?.(kind.kind, name);
      if (screen.subject()?.name !== name) this.#openTable(kind.kind, name);
    }
    this.#hasPicked = true;
    if (!isSilent) this.#say([this.#rows.words(name) ?? name]);
  }

  /** The table of a kind, with the cursor on a row: whatever is done next is done to that one. */
  #openTable(kind: string, name: string): void {
    const { model } = this.program;
    this.program.openTable(kind);
    if (model.screen instanceof TableScreen) model.screen.table.select(name);
    this.#screen = model.screen;
    this.#listing = new Listing(this.#spoken());
    this.#listings.set(model.screen, this.#listing);
    this.where();
    this.news.follow(model.screen, () => this.#spoken());
  }

  narrow(text: string): void {
    const { model } = this.program;
    const before = model.screen.subject()?.name;
    const fault = filterBy(this.#controller, model, text);
    const found = model.screen.subject()?.name;
    if (fault !== undefined) {
      this.fail(fault);
    } else if (model.screen instanceof TableScreen || found === undefined || found === before) {
      this.#hasPicked = false;
      this.list();
    } else {
      // A search that leads somewhere.
      this.where();
      this.choose(found);
    }
  }

  #answer(prompt: Prompt, text: string): void {
    if (text === "all") {
      this.#ask(prompt, true);
      return;
    }
    const { model } = this.program;
    if (prompt.type === "question") {
      if (text !== "y") this.hasFailed = true;
      this.#controller.press(text === "y" ? "y" : "esc");
    } else if (prompt.type === "confirm" ? text !== prompt.phrase : text === "") {
      this.#controller.press("esc");
      if (prompt.type === "input") this.#say(["left as it is"]);
      this.hasFailed = true;
    } else if (prompt.type === "confirm") {
      if (prompt.phrase !== "y") model.prompt = { ...prompt, text };
      this.#controller.press(prompt.phrase === "y" ? "y" : "enter");
    } else {
      model.prompt = { ...prompt, text };
      if (prompt.type === "filter") prompt.apply(text);
      this.#controller.press("enter");
    }
    if (model.prompt === undefined && prompt.type === "filter") this.list();
  }

  #ask(prompt: Prompt, isWhole = false): void {
    this.#asked = prompt;
    this.#say(questionLines(prompt, isWhole));
  }

  #remember(line: string): void {
    const { remembered, log } = this.program;
    remembered.add("command", line).catch((error: unknown) => log.warn({ err: error }, "a line cannot be kept"));
  }

  #spoken(): Spoken {
    const { screen } = this.program.model;
    return screen instanceof FormScreen ? this.#forms.spoken(screen.form) : wordsOfScreen(screen);
  }
}
