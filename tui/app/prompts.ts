import { messageOf } from "../../lib/errors.js";
import { textOf } from "../kit/keys/chord.js";
import type { Model } from "../kit/model.js";
import type { Prompt } from "../kit/prompt.js";
import { recalled } from "../kit/recall.js";
import { allCommands } from "../screens/commands.js";
import { goToContext } from "../screens/context-commands.js";
import type { Program } from "../screens/program.js";
import { TableScreen } from "../screens/table/table-screen.js";
import type { RememberedSort } from "../settings/remembered.js";
import { namesFrom } from "../screens/named-rows.js";
import { completions, expandAlias, parseCommandLine, type Vocabulary } from "./command-line.js";
import { giveCommand } from "./give-command.js";

type Question = Prompt & { readonly type: "question" };
/** Where a text of any length is typed. */
type TypedPrompt = Exclude<Prompt, { type: "confirm" | "question" }>;

function isTyped(prompt: Prompt): prompt is TypedPrompt {
  return prompt.type !== "confirm" && prompt.type !== "question";
}

/** What is typed at the bottom: a command, a filter, what an action needs, or the consent to something that cannot be undone. */
export class Prompts {
  readonly #model: Model;
  readonly #program: Program;

  constructor(program: Program) {
    this.#model = program.model;
    this.#program = program;
  }

  /** A key while a prompt is open. */
  press(prompt: Prompt, chord: string): void {
    if (prompt.type === "question") this.#answer(prompt, chord);
    else this.#edit(prompt, chord);
  }

  /** One key is enough where one letter is asked for, and any other one is a no. */
  #answer(prompt: Question, chord: string): void {
    this.#model.prompt = undefined;
    if (textOf(chord)?.toLowerCase() === "y") prompt.yes();
    else prompt.no();
  }

  #edit(prompt: Exclude<Prompt, Question>, chord: string): void {
    const { text } = prompt;
    const added = textOf(chord);
    if (this.#recall(prompt, chord)) return;
    if (chord === "esc") this.leave();
    else if (chord === "enter") this.#enter(prompt);
    else if (chord === "backspace" && text === "" && prompt.type !== "confirm") this.leave();
    else if (chord === "backspace") this.#setText(prompt, [...text].slice(0, -1).join(""));
    else if (chord === "ctrl-u") this.#setText(prompt, "");
    else if (chord === "ctrl-w") this.#setText(prompt, text.replace(/\S*\s*$/, ""));
    else if (chord === "tab" && prompt.type !== "confirm") this.#cycle(prompt, 1);
    else if (chord === "shift-tab" && prompt.type !== "confirm") this.#cycle(prompt, -1);
    else if (added !== undefined) this.#type(prompt, added);
  }

  /** Brings back what was typed before: the line above or below, or one that is searched for. */
  #recall(prompt: Exclude<Prompt, Question>, chord: string): boolean {
    if (prompt.type !== "command" && prompt.type !== "filter") return false;
    const typing = recalled(prompt, chord, this.#program.remembered.lines(prompt.type));
    if (typing === undefined) return false;
    this.#model.prompt = { ...prompt, text: typing.text, recall: typing.recall, cycle: undefined };
    if (prompt.type === "filter") prompt.apply(typing.text);
    return true;
  }

  /** Pasted text goes into what is being typed; consent is not pasted. */
  paste(text: string): void {
    const { prompt } = this.#model;
    const [line = ""] = text.split(/[\r\n]/, 1);
    if (prompt === undefined || !isTyped(prompt)) this.#model.say("pasted text is ignored here");
    else this.#setText(prompt, prompt.text + line);
  }

  /** What may follow what is typed: whole lines, what is shown of them begins at a character. While they are gone through the one that is shown is first. */
  completions(): { readonly lines: readonly string[]; readonly from: number } {
    const { prompt } = this.#model;
    if (prompt === undefined || !isTyped(prompt)) return { lines: [], from: 0 };
    if (prompt.cycle === undefined) return this.#linesAfter(prompt);
    const { lines, at, from } = prompt.cycle;
    return { lines: [...lines.slice(at), ...lines.slice(0, at)], from };
  }

  #linesAfter(prompt: TypedPrompt): {
    readonly lines: readonly string[];
    readonly from: number;
  } {
    const { text } = prompt;
    if (prompt.type === "input") return { lines: prompt.choices.filter((choice) => choice.startsWith(text)), from: 0 };
    if (prompt.type === "command") return { lines: completions(text, this.#vocabulary()), from: 0 };
    const { choices, from } = prompt.complete?.(text) ?? { choices: [], from: 0 };
    return { lines: choices.map((choice) => text.slice(0, from) + choice), from };
  }

  /** The next line of those that may follow; again: the one after it. The only one is taken, and what follows that is next. */
  #cycle(prompt: TypedPrompt, by: 1 | -1): void {
    const { lines, from, at } = prompt.cycle ?? { ...this.#linesAfter(prompt), at: by > 0 ? -1 : 0 };
    if (lines.length === 0) return;
    const next = (at + by + lines.length) % lines.length;
    this.#setText(prompt, lines[next] ?? prompt.text);
    const { prompt: shown } = this.#model;
    if (shown === undefined || !isTyped(shown) || lines.length === 1) return;
    this.#model.prompt = { ...shown, cycle: { lines, from, at: next } };
  }

  /** Closes the prompt without doing what it is for. */
  leave(): void {
    const { prompt } = this.#model;
    this.#model.prompt = undefined;
    if (prompt?.type === "filter") prompt.apply(prompt.before);
    if (prompt?.type === "question") prompt.no();
    if (prompt?.type === "confirm") this.#model.say(`nothing done: ${prompt.impact.action.verb} was not confirmed`);
  }

  #type(prompt: Exclude<Prompt, Question>, text: string): void {
    if (prompt.type === "confirm" && prompt.phrase === "y") {
      if (text.toLowerCase() === "y") this.#enter({ ...prompt, text: "y" });
      else this.leave();
      return;
    }
    this.#setText(prompt, prompt.text + text);
  }

  #setText(prompt: Exclude<Prompt, Question>, text: string): void {
    const recallable = prompt.type === "command" || prompt.type === "filter";
    if (recallable) this.#model.prompt = { ...prompt, text, recall: undefined, cycle: undefined };
    else this.#model.prompt = prompt.type === "input" ? { ...prompt, text, cycle: undefined } : { ...prompt, text };
    if (prompt.type === "filter") prompt.apply(text);
  }

  #enter(prompt: Exclude<Prompt, Question>): void {
    if (prompt.type === "confirm" && prompt.text !== prompt.phrase) {
      this.#model.say(`type ${prompt.phrase} to go ahead, esc to leave it`, "warn");
      return;
    }
    this.#model.prompt = undefined;
    if (prompt.type === "confirm") {
      if (prompt.go === undefined) this.#program.requests.perform(prompt.impact);
      else prompt.go();
    }
    if (prompt.type === "command" || prompt.type === "filter") this.#remember(prompt.type, prompt.text);
    if (prompt.type === "command") this.run(prompt.text);
    if (prompt.type === "input") this.#goOn(prompt);
  }

  #remember(sort: RememberedSort, text: string): void {
    this.#program.remembered.add(sort, text).catch((error: unknown) => {
      this.#program.log.warn({ err: error }, "what was typed cannot be kept for the next run");
    });
  }

  #goOn({ text, go, isSecret }: Prompt & { readonly type: "input" }): void {
    try {
      go(isSecret === true ? text : text.trim());
    } catch (error) {
      this.#model.say(messageOf(error), "warn");
    }
  }

  /** Does what a line of the command line says (without the ":"). */
  run(line: string): void {
    if (line.trim() === "") return;
    const model = this.#model;
    const meant = expandAlias(line, this.#program.settings.values.aliases);
    const [, before = "", context, after = ""] = /^(\S+(?: [^/@\s]+)?) @(\S+)(.*)$/.exec(meant) ?? [];
    if (context !== undefined && model.kinds.findByWord(before.split(" ")[0] ?? "") !== undefined) {
      void goToContext(this.#program, context, `${before}${after}`);
      return;
    }
    const typed = parseCommandLine(meant, this.#vocabulary());
    switch (typed.type) {
      case "table": {
        const { kind, host, filter } = typed;
        const scope = host === undefined ? undefined : { title: host, host };
        model.openOnly(new TableScreen(this.#program, kind.kind, scope, { filter }));
        break;
      }
      case "command":
        giveCommand(this.#program, typed.command, typed.argument);
        break;
      case "unknown":
        model.say(typed.message, "warn");
        break;
    }
  }

  #vocabulary(): Vocabulary {
    const { kinds, fleet, session } = this.#model;
    const commands = allCommands(this.#program).filter(({ changes }) => !(session.readOnly && changes === true));
    const hosts = kinds.presence === undefined ? [] : [...fleet.rowsOf(kinds.presence.kind)].map((row) => row.id);
    const { aliases } = this.#program.settings.values;
    const contexts = this.#program.contexts.list();
    const names = (typed: string): readonly string[] => namesFrom(this.#model, typed);
    return { kinds, commands, hosts: hosts.sort(), contexts, aliases: Object.keys(aliases), names };
  }
}
