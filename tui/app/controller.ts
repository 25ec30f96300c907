import { availableCommands, type Command } from "../kit/keys/command.js";
import type { Model } from "../kit/model.js";
import { commandsHere } from "../screens/commands.js";
import type { Program } from "../screens/program.js";
import { showBegunWave } from "../screens/wave/wave-commands.js";
import { TableScreen } from "../screens/table/table-screen.js";
import { Clicks } from "./clicks.js";
import { Prompts } from "./prompts.js";

/** How long the first ctrl-c waits for the second. */
const quitWindowMs = 2000;

/** What the first screen shows. */
export interface FirstScreen {
  /** Singular of a kind; default: the first of all. */
  readonly kind?: string;
  /** Id of the host that it is narrowed to. */
  readonly host?: string;
  /** A line of the command line that is run on it at once: "pulse". */
  readonly line?: string;
}

/** Turns keys into changes of the model and into what is asked of the fleet. */
export class Controller {
  readonly #model: Model;
  readonly #program: Program;
  readonly #prompts: Prompts;
  readonly clicks: Clicks;
  #interruptedAtMs = Number.NEGATIVE_INFINITY;

  /** Opens the first screen. */
  constructor(program: Program, { kind, host, line = "" }: FirstScreen = {}) {
    this.#model = program.model;
    this.#program = program;
    this.#prompts = new Prompts(program);
    program.requests.showWave = (operation, names) => showBegunWave(program, operation, names);
    this.clicks = new Clicks(program, (chord) => this.press(chord));
    const scope = host === undefined ? undefined : { title: host, host };
    this.#model.openOnly(new TableScreen(program, kind ?? this.#model.kinds.all[0]?.kind ?? "", scope));
    this.#prompts.run(line);
  }

  /** What can be done where the person is now. */
  get commands(): readonly Command[] {
    const { screen, session } = this.#model;
    return availableCommands(
      screen.isTyping === true ? screen.commands : commandsHere(this.#program),
      session.readOnly,
    );
  }

  /** What may follow what is typed. */
  completions(): ReturnType<Prompts["completions"]> {
    return this.#prompts.completions();
  }

  /** A key was pressed. */
  press(chord: string): void {
    const { prompt, screen } = this.#model;
    this.#model.hush();
    // What takes all that is typed takes these keys, too.
    const isOwn = prompt === undefined && screen.isTyping === true && screen.typed !== undefined;
    if (isOwn) this.#pressOnScreen(chord);
    else if (chord === "ctrl-c") this.#interrupt();
    else if (chord === "ctrl-z") this.#program.stop();
    else if (prompt !== undefined) this.#prompts.press(prompt, chord);
    else this.#pressOnScreen(chord);
    this.#model.changed();
  }

  /** Does what a line of the command line says. */
  run(line: string): void {
    this.#prompts.run(line);
  }

  /** What the terminal sends, before it is taken for keys; returns what is to be taken for keys. */
  typed(data: string): string {
    const left = this.clicks.take(data);
    const { prompt, screen } = this.#model;
    if (left === "" || prompt !== undefined || screen.isTyping !== true || screen.typed === undefined) return left;
    this.#model.hush();
    const rest = screen.typed(left);
    this.#model.changed();
    return rest;
  }

  /** Text was pasted: it is never taken for keys. */
  paste(text: string): void {
    const { prompt, screen } = this.#model;
    this.#model.hush();
    if (prompt !== undefined || screen.pasted?.(text) !== true) this.#prompts.paste(text);
    this.#model.changed();
  }

  #pressOnScreen(chord: string): void {
    const command = this.commands.find(({ keys }) => keys.includes(chord));
    if (command !== undefined) command.run({ chord, argument: "" });
    else this.#model.screen.press?.(chord);
  }

  #interrupt(): void {
    const { nowMs, prompt, screen } = this.#model;
    if (prompt === undefined && screen.interrupt?.() === true) return;
    this.#prompts.leave();
    if (nowMs - this.#interruptedAtMs < quitWindowMs) this.#program.quit();
    this.#interruptedAtMs = nowMs;
    this.#model.say("press ctrl-c again to quit", "plain", quitWindowMs);
  }
}
