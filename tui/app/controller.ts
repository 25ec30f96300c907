import { type CommandId, findCommand, type KeyContext } from "../kit/keys/commands.js";
import type { Model, Screen } from "../kit/model.js";
import type { TableKind } from "../kit/row.js";
import { Prompts } from "./prompts.js";
import { screenCommands } from "../screens/screen-commands.js";
import type { Surroundings } from "../screens/surroundings.js";

/** How long the first ctrl-c waits for the second. */
const quitWindowMs = 2000;

/** Turns keys into changes of the model and into what is asked of the fleet. */
export class Controller {
  readonly #model: Model;
  readonly #around: Surroundings;
  readonly #prompts: Prompts;
  readonly #commands: Readonly<Record<CommandId, () => void>>;
  #interruptedAtMs = Number.NEGATIVE_INFINITY;

  constructor(model: Model, around: Surroundings) {
    this.#model = model;
    this.#around = around;
    this.#prompts = new Prompts(model, around);
    this.#commands = screenCommands(model, around);
  }

  /** What is bound where the person is now. */
  get keyContext(): KeyContext {
    const { screen, session } = this.#model;
    return { screen: screen.type, kind: kindOn(screen), readOnly: session.readOnly };
  }

  /** What may follow what is typed on the command line. */
  completions(): readonly string[] {
    return this.#prompts.completions();
  }

  /** A key was pressed. */
  press(chord: string): void {
    const { prompt } = this.#model;
    this.#model.hush();
    if (chord === "ctrl-c") this.#interrupt();
    else if (chord === "ctrl-z") this.#around.stop();
    else if (prompt !== undefined) this.#prompts.press(prompt, chord);
    else this.#pressOnScreen(chord);
    this.#model.changed();
  }

  /** Text was pasted: it is never taken for keys. */
  paste(text: string): void {
    this.#model.hush();
    this.#prompts.paste(text);
    this.#model.changed();
  }

  #pressOnScreen(chord: string): void {
    const command = findCommand(chord, this.keyContext);
    const { screen } = this.#model;
    if (command !== undefined) this.#commands[command.id]();
    else if (screen.type === "table" && /^[A-Z]$/.test(chord)) screen.table.sortBy(chord);
  }

  #interrupt(): void {
    const { nowMs } = this.#model;
    this.#prompts.leave();
    if (nowMs - this.#interruptedAtMs < quitWindowMs) this.#around.quit();
    this.#interruptedAtMs = nowMs;
    this.#model.say("press ctrl-c again to quit", "plain", quitWindowMs);
  }
}

/** Kind of what is shown or described. */
function kindOn(screen: Screen): TableKind | undefined {
  switch (screen.type) {
    case "table":
      return screen.table.kind;
    case "detail":
      return screen.kind;
    case "diagnosis":
      return "links";
    case "help":
      return undefined;
  }
}
