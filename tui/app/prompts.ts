import { shortName } from "../kit/resource-name.js";
import { textOf } from "../kit/keys/chord.js";
import { completions, parseCommandLine } from "./command-line.js";
import { type Model, newPage, type Prompt } from "../kit/model.js";
import { kinds, type Row } from "../kit/row.js";
import type { Surroundings } from "../screens/surroundings.js";

/** What is typed at the bottom: a command, a filter, or the consent to something that cannot be undone. */
export class Prompts {
  readonly #model: Model;
  readonly #around: Surroundings;

  constructor(model: Model, around: Surroundings) {
    this.#model = model;
    this.#around = around;
  }

  /** A key while a prompt is open. */
  press(prompt: Prompt, chord: string): void {
    const { text } = prompt;
    const added = textOf(chord);
    if (chord === "esc") this.leave();
    else if (chord === "enter") this.#enter(prompt);
    else if (chord === "backspace" && text === "" && prompt.type !== "confirm") this.leave();
    else if (chord === "backspace") this.#setText(prompt, [...text].slice(0, -1).join(""));
    else if (chord === "ctrl-u") this.#setText(prompt, "");
    else if (chord === "ctrl-w") this.#setText(prompt, text.replace(/\S*\s*$/, ""));
    else if (chord === "tab") this.#setText(prompt, this.completions()[0] ?? text);
    else if (added !== undefined) this.#type(prompt, added);
  }

  /** Pasted text goes into what is being typed; consent is not pasted. */
  paste(text: string): void {
    const { prompt } = this.#model;
    const [line = ""] = text.split(/[\r\n]/, 1);
    if (prompt === undefined || prompt.type === "confirm") this.#model.say("pasted text is ignored here");
    else this.#setText(prompt, prompt.text + line);
  }

  /** What may follow what is typed on the command line. */
  completions(): readonly string[] {
    const { prompt } = this.#model;
    return prompt?.type === "command" ? completions(prompt.text, this.#hosts()) : [];
  }

  /** Closes the prompt without doing what it is for. */
  leave(): void {
    const { prompt, screen } = this.#model;
    this.#model.prompt = undefined;
    if (prompt?.type === "filter" && screen.type === "table") screen.table.setFilter(prompt.before);
    if (prompt?.type === "confirm") this.#model.say(`nothing done: ${prompt.impact.verb} was not confirmed`);
  }

  #type(prompt: Prompt, text: string): void {
    // One key is enough where one letter is asked for, and any other one is a no.
    if (prompt.type === "confirm" && prompt.phrase === "y") {
      if (text.toLowerCase() === "y") this.#enter({ ...prompt, text: "y" });
      else this.leave();
      return;
    }
    this.#setText(prompt, prompt.text + text);
  }

  #setText(prompt: Prompt, text: string): void {
    this.#model.prompt = { ...prompt, text };
    const { screen } = this.#model;
    if (prompt.type === "filter" && screen.type === "table") screen.table.setFilter(text);
  }

  #enter(prompt: Prompt): void {
    if (prompt.type === "confirm" && prompt.text !== prompt.phrase) {
      this.#model.say(`type ${prompt.phrase} to go ahead, esc to leave it`, "warn");
      return;
    }
    this.#model.prompt = undefined;
    if (prompt.type === "confirm") this.#around.actions.perform(prompt.impact);
    if (prompt.type === "command") this.#runCommandLine(prompt.text);
  }

  #runCommandLine(line: string): void {
    if (line.trim() === "") return;
    const model = this.#model;
    const command = parseCommandLine(line, this.#hosts());
    switch (command.type) {
      case "table": {
        const { host } = command;
        model.openOnly(command.kind, host === undefined ? undefined : { title: host, host }, command.filter);
        break;
      }
      case "quit":
        this.#around.quit();
        break;
      case "help":
        if (model.screen.type !== "help") model.push({ type: "help", page: newPage() });
        break;
      case "resync":
        this.#around.resync();
        break;
      case "describe":
        this.#describe(command.id);
        break;
      case "unknown":
        model.say(command.message, "warn");
        break;
    }
  }

  #describe(id: string): void {
    for (const kind of kinds) {
      const name = findByShortName(this.#model.fleet.tables[kind].rows(), id);
      if (name === undefined) continue;
      this.#model.push({ type: "detail", kind, name, yaml: false, page: newPage() });
      return;
    }
    this.#model.say(`there is no "${id}"; names look like alpha, alpha/vm1 or demo`, "warn");
  }

  #hosts(): readonly string[] {
    return [...this.#model.fleet.tables.hosts.rows()].map((row) => row.id).sort();
  }
}

function findByShortName(rows: Iterable<Row>, id: string): string | undefined {
  for (const row of rows) if (shortName(row.name) === id || row.name === id) return row.name;
  return undefined;
}
