import { messageOf } from "../../../lib/errors.js";
import type { CellLine } from "../../kit/cells/cell-line.js";
import type { ConsoleFacts, ConsoleOpener, OpenConsole } from "./console-opener.js";
import { type CellSize, type FoundText, GuestTerminal } from "./guest-terminal.js";
import { keysForGuest, pasteForGuest, type Typed } from "../typing/typed-keys.js";

/** How a console is. */
export type ConsoleState =
  | { readonly phase: "opening" }
  | { readonly phase: "open"; readonly facts: ConsoleFacts }
  | { readonly phase: "lost"; readonly why: string }
  /** It ended, or could not be opened. */
  | { readonly phase: "ended"; readonly why: string; readonly failed: boolean };

/** What a console is opened with. */
export interface ConsolePlace {
  /** "hosts/{host}/instances/{instance}"; "hosts/{host}": a shell there */
  readonly name: string;
  readonly port: number;
  readonly readOnly: boolean;
}

/** A shell of a host: another one is another shell, and it learns its size by itself. */
export function isShell({ name }: Pick<ConsolePlace, "name">): boolean {
  return name.split("/").length === 2;
}

const firstSize: CellSize = { columns: 80, rows: 24 };
/** So much may wait to be drawn before the console is made to wait: it is read ahead of, or the host cuts it off. */
const mostWaitingBytes = 512 * 1024;
const mostTypedAhead = 4096;

/** One console, which goes on while it is not looked at: what it says is drawn in memory. */
export class ConsoleSession implements Disposable {
  readonly place: ConsolePlace;
  readonly #open: ConsoleOpener;
  readonly #changed: () => void;
  #line: OpenConsole | undefined;
  #leaving = new AbortController();
  #terminal: GuestTerminal;
  #waitingBytes = 0;
  #state: ConsoleState = { phase: "opening" };
  /** It has a size: what a guest draws for one that it has for a moment would stay on the screen. */
  #isPlaced = false;
  /** Something was said since it was searched. */
  #isSearchOld = false;
  /** What was typed before it was open. */
  #typedAhead = "";
  #found: readonly FoundText[] = [];
  #current = -1;
  #searched = "";
  /** Something was said, or the bell rung, since it was last looked at. */
  activity: "none" | "said" | "bell" = "none";

  /** Is opened when it is first given a size. @param changed told when it looks different. */
  constructor(place: ConsolePlace, open: ConsoleOpener, changed: () => void) {
    this.place = place;
    this.#open = open;
    this.#changed = changed;
    this.#terminal = this.#newTerminal(firstSize);
  }

  get state(): ConsoleState {
    return this.#state;
  }

  get size(): CellSize {
    return this.#terminal.size;
  }

  /** What is typed reaches the guest. */
  get isWritable(): boolean {
    return this.#state.phase === "open" && this.#state.facts.writable;
  }

  /** Lines that the view is above the end. */
  get scrolled(): number {
    return this.#terminal.scrolled;
  }

  /** What was searched, and which of how many places it is at. */
  get search(): { readonly text: string; readonly at: number; readonly count: number } | undefined {
    if (this.#searched === "") return undefined;
    return { text: this.#searched, at: this.#current + 1, count: this.#found.length };
  }

  /** Opens it, or once more after it ended. */
  open(): void {
    if (this.#line !== undefined) return;
    this.#leaving = new AbortController();
    this.#state = { phase: "opening" };
    const line = this.#open(this.place.name, {
      ...{ size: this.#terminal.size, port: this.place.port, readOnly: this.place.readOnly },
      signal: this.#leaving.signal,
      listener: {
        onOpened: (facts) => this.#opened(facts),
        onData: (data) => this.#take(data),
        onLost: (why) => this.#become({ phase: "lost", why }),
      },
    });
    this.#line = line;
    void this.#follow(line);
  }

  /** Gives the console a size: the terminal's, and the guest's where that can be told. */
  resize(size: CellSize): void {
    const { columns, rows } = this.#terminal.size;
    const isOther = size.columns !== columns || size.rows !== rows;
    if (isOther) {
      this.#terminal.resize(size);
      this.#isSearchOld = true;
    }
    if (!this.#isPlaced) {
      this.#isPlaced = true;
      this.open();
    } else if (isOther) this.#line?.resize(size);
  }

  /** What was typed goes to the guest; false: it does not, because the console is not open, or does not take so much. */
  type(typed: readonly Typed[]): boolean {
    this.scroll(Number.NEGATIVE_INFINITY);
    let isTaken = true;
    for (const each of typed) isTaken &&= this.#sendOrWait(this.#wordsOf(each));
    return isTaken;
  }

  /** Sends something as it is; false: it was not. */
  send(data: string): boolean {
    if (!this.isWritable) return false;
    return data === "" || (this.#line?.send(data) ?? false);
  }

  /** Moves the view by lines, up with more than 0. */
  scroll(by: number): void {
    if (by !== 0) this.#terminal.scrollTo(Math.max(0, this.#terminal.scrolled + by));
  }

  /** Searches a text, and goes to the place nearest to the end; "" forgets it. */
  find(text: string): void {
    this.#searched = text;
    this.#found = this.#terminal.find(text);
    this.#current = this.#found.length - 1;
    this.#show();
  }

  /** Goes to another place of what was searched: up with -1, down with 1; around the ends. */
  findNext(step: 1 | -1): void {
    this.#searchAgain();
    if (this.#found.length === 0) return;
    this.#current = (this.#current + step + this.#found.length) % this.#found.length;
    this.#show();
  }

  /** The lines that are seen. */
  draw({ showCursor }: { readonly showCursor: boolean }): readonly CellLine[] {
    this.#searchAgain();
    return this.#terminal.draw({ showCursor, found: this.#found, current: this.#found[this.#current] });
  }

  /** All that is kept of it, as text. */
  text(): string {
    return this.#terminal.text();
  }

  /** Leaves the console for good. */
  [Symbol.dispose](): void {
    this.#leaving.abort();
    this.#terminal[Symbol.dispose]();
  }

  #newTerminal(size: CellSize): GuestTerminal {
    return new GuestTerminal(size, {
      // Never from whoever only looks, nor while what is drawn is not what the guest says now.
      onAnswer: (data) => void this.send(data),
      onBell: () => {
        this.activity = "bell";
      },
    });
  }

  async #follow(line: OpenConsole): Promise<void> {
    try {
      const why = await line.ended;
      this.#end(why === "" ? "it was left" : why, false);
    } catch (error) {
      this.#end(messageOf(error), true);
    }
  }

  #end(why: string, failed: boolean): void {
    this.#line = undefined;
    if (this.#leaving.signal.aborted) return;
    this.#become({ phase: "ended", why, failed });
  }

  #opened(facts: ConsoleFacts): void {
    this.#become({ phase: "open", facts });
    this.send(this.#typedAhead);
    this.#typedAhead = "";
  }

  #sendOrWait(data: string): boolean {
    if (this.#state.phase !== "opening") return this.send(data);
    this.#typedAhead += data;
    return this.#typedAhead.length <= mostTypedAhead;
  }

  #become(state: ConsoleState): void {
    this.#state = state;
    this.#changed();
  }

  async #take(data: Uint8Array): Promise<void> {
    this.#waitingBytes += data.length;
    const drawn = this.#terminal.write(data).then(() => {
      this.#waitingBytes -= data.length;
      this.#isSearchOld = true;
      if (this.activity === "none") this.activity = "said";
      this.#changed();
    });
    if (this.#waitingBytes > mostWaitingBytes) await drawn;
  }

  #wordsOf(typed: Typed): string {
    if (typed.type === "keys") return keysForGuest(typed.data, this.#terminal.wantsApplicationKeys);
    const data = pasteForGuest(typed.data);
    if (!this.#terminal.wantsPasteMarks) return data;
    return `${typed.isFirst ? "\x1b[200~" : ""}${data}${typed.isLast ? "\x1b[201~" : ""}`;
  }

  /** What came meanwhile has moved it. */
  #searchAgain(): void {
    if (this.#searched === "" || !this.#isSearchOld) return;
    this.#isSearchOld = false;
    const fromEnd = this.#found.length - this.#current;
    this.#found = this.#terminal.find(this.#searched);
    this.#current = Math.max(Math.min(0, this.#found.length - 1), this.#found.length - fromEnd);
  }

  #show(): void {
    const found = this.#found[this.#current];
    if (found === undefined) return;
    const { rows } = this.#terminal.size;
    const top = this.#terminal.linesAbove - this.#terminal.scrolled;
    if (found.line >= top && found.line < top + rows) return;
    this.#terminal.scrollTo(Math.max(0, this.#terminal.linesAbove - found.line + Math.floor(rows / 2)));
  }
}
