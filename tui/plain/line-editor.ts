import { emitKeypressEvents, type Key } from "node:readline";
import { graphemesOf, textWidth } from "../kit/text/text-width.js";
import { plainText } from "../kit/text/plain-text.js";

/** The terminal that is typed in. */
export interface TypedInput {
  readonly input: NodeJS.ReadStream;
  readonly output: { write(text: string): unknown; readonly columns?: number };
}

/** What an editor of lines asks and tells. */
export interface LineEditorHooks {
  prompt(): string;
  /** Whole lines that may follow. */
  complete(line: string): readonly string[];
  /** What was typed before, the newest first. */
  history(): readonly string[];
  onLine(line: string): void;
  /** Ctrl-C where nothing is typed. */
  onInterrupt(): void;
  /** Ctrl-D where nothing is typed. */
  onEnd(): void;
  /** The terminal is gone. Who is not its session's hears no signal of that. */
  onHangUp(): void;
  /** Ctrl-Z */
  onStop(): void;
}

/** Of what may follow so many are said. */
const mostOffered = 40;

/**
 * A line is typed at its end, and taken back there: what is on the terminal is only ever added to, but for what a backspace takes away. So it
 * works on terminals that know nothing else, and what is said is said once.
 */
export class LineEditor {
  readonly #terminal: TypedInput;
  readonly #hooks: LineEditorHooks;
  #text = "";
  #isShown = false;
  /** Place in the history; -1: what is typed is new. */
  #at = -1;
  #begun = "";

  constructor(terminal: TypedInput, hooks: LineEditorHooks) {
    this.#terminal = terminal;
    this.#hooks = hooks;
  }

  /** Nothing is being typed: what comes may be said. */
  get isIdle(): boolean {
    return this.#text === "";
  }

  start(): void {
    const { input } = this.#terminal;
    emitKeypressEvents(input);
    input.on("keypress", this.#onKey);
    input.on("end", this.#hooks.onHangUp);
    if (input.isTTY) input.setRawMode(true);
    input.resume();
    this.show();
  }

  /** Gives the terminal away, as it was before. */
  pause(): void {
    const { input } = this.#terminal;
    input.off("keypress", this.#onKey);
    input.off("end", this.#hooks.onHangUp);
    if (input.isTTY) input.setRawMode(false);
    input.pause();
    this.leave();
  }

  /** Says lines above what is typed. */
  say(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.leave();
    this.#write(lines.map((line) => `${line}\r\n`).join(""));
  }

  /** The prompt, with what is typed; once. */
  show(): void {
    if (this.#isShown) return;
    this.#isShown = true;
    this.#write(`${this.#hooks.prompt()}${this.#text}`);
  }

  /** To the beginning of a line of its own. */
  leave(): void {
    if (this.#isShown) this.#write("\r\n");
    this.#isShown = false;
  }

  readonly #onKey = (typed: string | undefined, key: Key): void => {
    const { name, ctrl = false, meta = false } = key;
    if (ctrl) this.#control(name ?? "");
    else if (name === "return" || name === "enter") this.#enter();
    else if (name === "backspace") this.#erase(1);
    else if (name === "tab") this.#complete();
    else if (name === "up") this.#recall(1);
    else if (name === "down") this.#recall(-1);
    else if (!meta && typed !== undefined && plainText(typed) === typed && typed !== "") this.#add(typed);
  };

  #control(name: string): void {
    if (name === "c") {
      if (this.#text === "") this.#hooks.onInterrupt();
      else this.#drop();
    } else if (name === "d" && this.#text === "") this.#hooks.onEnd();
    else if (name === "z") this.#hooks.onStop();
    else if (name === "u") this.#erase(graphemesOf(this.#text).length);
    else if (name === "w") this.#erase(graphemesOf(/\S*\s*$/.exec(this.#text)?.[0] ?? "").length);
    else if (name === "h") this.#erase(1);
    else if (name === "l" || name === "r") this.#again();
    else if (name === "p") this.#recall(1);
    else if (name === "n") this.#recall(-1);
    else if (name === "j" || name === "m") this.#enter();
  }

  #enter(): void {
    const line = this.#text;
    this.#text = "";
    this.#at = -1;
    this.leave();
    this.#hooks.onLine(line);
  }

  #drop(): void {
    this.#text = "";
    this.#at = -1;
    this.leave();
    this.show();
  }

  #add(typed: string): void {
    this.#text += typed;
    this.#at = -1;
    this.#write(typed);
  }

  #erase(count: number): void {
    const graphemes = graphemesOf(this.#text);
    const kept = graphemes.slice(0, Math.max(0, graphemes.length - count));
    const gone = graphemes.slice(kept.length);
    if (gone.length === 0) return;
    const before = textWidth(this.#hooks.prompt()) + textWidth(this.#text);
    this.#text = kept.map(({ text }) => text).join("");
    this.#at = -1;
    // A backspace does not lead to the line above.
    if (before >= (this.#terminal.output.columns ?? 80)) this.#again();
    else this.#write("\b \b".repeat(gone.reduce((sum, { width }) => sum + width, 0)));
  }

  /** The line once more, on a line of its own. */
  #again(): void {
    this.leave();
    this.show();
  }

  #recall(by: 1 | -1): void {
    const lines = this.#hooks.history();
    if (this.#at < 0) this.#begun = this.#text;
    const to = this.#at + by;
    if (to < -1 || to >= lines.length) return;
    this.#at = to;
    this.#text = plainText(to < 0 ? this.#begun : (lines[to] ?? ""));
    this.#again();
  }

  /** What all that may follow has in common is typed; when there is nothing of that, it is said what may. */
  #complete(): void {
    const lines = this.#hooks.complete(this.#text).filter((line) => line.startsWith(this.#text));
    const [first] = lines;
    if (first === undefined) {
      this.#write("\x07");
      return;
    }
    const common = lines.reduce(commonBeginning, first);
    const rest = plainText(common.slice(this.#text.length));
    if (lines.length === 1) this.#add(`${rest} `);
    else if (rest !== "") this.#add(rest);
    else {
      const from = this.#text.lastIndexOf(" ") + 1;
      const shown = lines.slice(0, mostOffered).map((line) => line.slice(from));
      const more = lines.length > shown.length ? `, and ${lines.length - shown.length} more` : "";
      this.say([plainText(`${shown.join(", ")}${more}`)]);
      this.show();
    }
  }

  #write(text: string): void {
    this.#terminal.output.write(text);
  }
}

function commonBeginning(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return one.slice(0, length);
}
