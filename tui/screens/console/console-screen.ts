import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, fixedBody, type Screen } from "../../kit/screen.js";
import type { Segment } from "../../kit/text/segment.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";
import { prefixCommands } from "../typing/prefix-commands.js";
import { TypedKeys } from "../typing/typed-keys.js";
import { attachPlain } from "./attach-whole.js";
import { consoleCommands } from "./console-commands.js";
import { type ConsoleSession, isShell } from "./console-session.js";
import type { Consoles } from "./consoles.js";
import { drawConsoles, labelOf, tabsOf } from "./draw-consoles.js";

/** Singular of what has consoles; hosts have shells. */
const consoleKind = "instance";

/**
 * Consoles in this program's screen: one, or two beside each other, and others that go on behind them. What is typed goes to the guest until
 * Ctrl-] is pressed; then keys are this program's until one of them goes back. Leaving the screen leaves the consoles as they are.
 */
export class ConsoleScreen implements Screen {
  readonly #program: Program;
  readonly #keys = new TypedKeys();
  readonly #commands: readonly Command[];
  readonly #typingCommands: readonly Command[];
  #height = 1;
  #wantsTyping: boolean;
  #wasTyping = false;

  /** @param typing what is typed goes to the guest from the first key on. */
  constructor(program: Program, typing: boolean) {
    this.#program = program;
    this.#wantsTyping = typing;
    this.#commands = consoleCommands(program, this);
    this.#typingCommands = prefixCommands(() => this.leaveTyping());
  }

  /** Of what it is a console of. */
  get kind(): TuiKind {
    const { kinds } = this.#program.model;
    const { here } = this.consoles;
    return (here === undefined ? undefined : kinds.findByName(here.place.name)) ?? kinds.get(consoleKind);
  }

  get consoles(): Consoles {
    return this.#program.consoles;
  }

  get commands(): readonly Command[] {
    return this.isTyping ? this.#typingCommands : this.#commands;
  }

  /** Also while the console is not there: what was meant for the guest must not act here. */
  get isTyping(): boolean {
    const { here } = this.consoles;
    return this.#wantsTyping && here !== undefined && !(here.state.phase === "open" && !here.isWritable);
  }

  title(): string {
    const { here } = this.consoles;
    if (here === undefined || this.consoles.all.length > 1) return "consoles";
    return `${isShell(here.place) ? "" : "console "}${labelOf(here)}`;
  }

  draw(width: number, height: number): Body {
    this.#height = height;
    const { here } = this.consoles;
    if (here === undefined)
      return fixedBody([[], [{ text: "   no console is open; c on an instance opens its", tone: "dim" }]]);
    const isTyping = this.isTyping;
    const lines = drawConsoles(this.consoles, { width, height, isTyping });
    return {
      lines: lines.map((cells) => ({ line: [{ text: cells.text() }], cells })),
      extent: { top: 0, shown: lines.length, length: lines.length },
      facts: [...tabsOf(this.consoles), ...this.#facts()],
      aside: isTyping ? whereTypedGoes(here) : this.#aside(),
    };
  }

  subject(): Row | undefined {
    const { here } = this.consoles;
    return here === undefined ? undefined : this.#program.model.fleet.find(this.kind.kind, here.place.name);
  }

  again(): Screen {
    return new ConsoleScreen(this.#program, false);
  }

  back(): boolean {
    const { here } = this.consoles;
    if (here === undefined || (here.scrolled === 0 && here.search === undefined)) return false;
    here.find("");
    here.scroll(Number.NEGATIVE_INFINITY);
    return true;
  }

  typed(data: string): string {
    const { here } = this.consoles;
    // A key for whatever was in the guest; where nothing is, it is the way out that it is everywhere.
    if (here?.state.phase === "ended" && data === "\x1b") {
      this.leaveTyping();
      return data;
    }
    const { typed, rest } = this.#keys.read(data);
    if (here?.state.phase === "ended") {
      if (typed.some((each) => each.type === "keys" && each.data.includes("\r"))) here.open();
    } else if (here !== undefined && !here.type(typed)) {
      this.#program.model.say("what was typed was not sent: the guest does not take it now", "warn");
    }
    if (rest === undefined) return "";
    this.leaveTyping();
    return rest;
  }

  pasted(text: string): boolean {
    const { here } = this.consoles;
    if (!this.isTyping || here === undefined) return false;
    here.type([{ type: "paste", data: text, isFirst: true, isLast: true }]);
    return true;
  }

  /** Keys are this program's. */
  leaveTyping(): void {
    this.#wasTyping = this.#wantsTyping;
    this.#wantsTyping = false;
  }

  /** Keys go to the guest again, if that is where they went before. */
  resumeTyping(): void {
    const { here } = this.consoles;
    if (this.#wasTyping && here?.place.readOnly === false) this.#wantsTyping = true;
  }

  /** What is typed goes to the guest. */
  beginTyping(): void {
    const { here } = this.consoles;
    if (here === undefined) return;
    if (here.state.phase === "ended") here.open();
    if (here.place.readOnly || (here.state.phase === "open" && !here.isWritable)) {
      const why = here.place.readOnly
        ? "it was opened to look only; c opens it to type"
        : "your role may look, not type";
      this.#program.model.say(`${shortName(here.place.name)}: ${why}`, "warn");
      return;
    }
    here.scroll(Number.NEGATIVE_INFINITY);
    this.#wantsTyping = true;
  }

  /** Scrolls by screens, up with more than 0. */
  page(by: number): void {
    this.consoles.here?.scroll(by * Math.max(1, this.#height - 1));
  }

  #facts(): readonly Segment[] {
    const { here } = this.consoles;
    if (here === undefined) return [];
    const { search, scrolled } = here;
    const facts: Segment[] = [];
    const { phase } = here.state;
    if (this.isTyping && (phase === "open" || phase === "opening")) facts.push({ text: " typing", tone: "good" });
    if (scrolled > 0) facts.push({ text: ` ${scrolled} lines up`, tone: "warn" });
    if (search !== undefined) facts.push({ text: ` /${search.text} ${search.at} of ${search.count}`, tone: "accent" });
    return facts;
  }

  #aside(): string {
    const { here } = this.consoles;
    if (here?.state.phase !== "open") return "";
    const { others } = here.state.facts;
    return others.length === 0 ? "" : `also attached: ${others.join(", ")}`;
  }
}

function whereTypedGoes({ state, place }: ConsoleSession): string {
  if (state.phase === "ended") return "what is typed goes nowhere: enter opens it again, esc leaves";
  const where = state.phase === "lost" ? "nowhere until it is back" : isShell(place) ? "to the host" : "to the guest";
  return `what is typed goes ${where}; Ctrl-] and then a key is for zor`;
}

/** Opens the console of what is under the cursor, or goes to it when it is open. */
export function showConsole(
  program: Program,
  { readOnly, port }: { readonly readOnly: boolean; readonly port: number },
): void {
  const { model, consoles } = program;
  const row = rowHere(model, "type at");
  if (row === undefined) return;
  if (model.session.isPlain === true) {
    attachPlain(program, row, { readOnly, port });
    return;
  }
  if (!consoles.show({ name: row.name, port, readOnly })) {
    model.say(
      `${consoles.all.length} consoles are open, and no more can be: :consoles shows them, D there detaches from one`,
      "warn",
    );
    return;
  }
  showConsoles(program, !readOnly);
}

/** Shows the consoles that are open. */
export function showConsoles(program: Program, typing: boolean): void {
  const { model } = program;
  if (!(model.screen instanceof ConsoleScreen)) model.push(new ConsoleScreen(program, typing));
  else if (typing) model.screen.beginTyping();
  else model.screen.leaveTyping();
}
