import type { Controller } from "../app/controller.js";
import type { Command } from "../kit/keys/command.js";
import { targetsOf } from "../kit/screen.js";
import type { Program } from "../screens/program.js";
import { TableScreen } from "../screens/table/table-screen.js";
import { ownCommands } from "./own-commands.js";
import type { Reading } from "./reading.js";
import type { RowFinder } from "./row-finder.js";
import { isVerb, namesOf, whyNotHere } from "./vocabulary.js";

/** What lines mean: a command of reading, an action of the kind in view, a command of the program, a table, or a row. */
export class Meaning {
  readonly #program: Program;
  readonly #controller: Controller;
  readonly #reader: Reading;
  readonly #rows: RowFinder;

  constructor(reader: Reading, controller: Controller, rows: RowFinder) {
    this.#program = reader.program;
    this.#controller = controller;
    this.#reader = reader;
    this.#rows = rows;
  }

  /** What a line (without the ":") does. */
  of(given: string): () => void {
    const { screen } = this.#program.model;
    const [word = "", ...others] = given.split(/\s+/);
    const argument = others.join(" ");
    const own = ownCommands(this.#reader).find(({ words }) => words?.includes(word) === true);
    if (own !== undefined) return () => own.run({ chord: "", argument });
    if (screen.kind?.actions.some(({ verb }) => verb === word) === true) return () => this.#act(word, argument);
    const command = this.#find(word, given);
    if (command !== undefined) return () => this.#run(command, argument, given);
    const why = whyNotHere(this.#program, word);
    if (this.#rows.isKnownWord(word)) return () => this.#runLine(given, why);
    const [row, another] = this.#rows.named(given);
    if (row === undefined) return () => this.#runLine(given, why);
    if (another === undefined) return () => this.#reader.choose(row.name);
    return () => this.#reader.fail(`several are called so, such as ${row.name} and ${another.name}`);
  }

  /** A command of the place where the person is, by a word, a key, or what it is called elsewhere. */
  #find(word: string, given: string): Command | undefined {
    const all = this.#controller.commands;
    const exact =
      all.find(({ words }) => words?.includes(word) === true) ?? all.find(({ keys }) => keys.includes(given));
    if (exact !== undefined || this.#rows.isKnownWord(word) || isVerb(this.#program, word)) return exact;
    return all.find((command) => command.group !== "Move" && namesOf(command).includes(word));
  }

  #runLine(given: string, why: string | undefined): void {
    if (why === undefined) this.#program.run(given);
    else this.#reader.fail(why);
  }

  /** About what is named, if it takes nothing else. */
  #run(command: Command, argument: string, given: string): void {
    const isKey = command.keys.includes(given) && command.words?.includes(given) !== true;
    const name = isKey ? given : (namesOf(command)[0] ?? given);
    // What follows a word that filters, as "filter vm", is what is filtered by.
    if (argument !== "" && command.keys.includes("/")) {
      this.#reader.narrow(argument.replace(/^\//, "").trim());
      return;
    }
    const takesRow = argument !== "" && command.argument === undefined;
    if (!takesRow && isForOne(this.#program, command) && !this.#reader.isSure) {
      this.#askWhich(name);
      return;
    }
    if (takesRow) {
      const [row, another] = this.#rows.find(argument);
      if (row === undefined) return;
      if (another !== undefined) {
        this.#reader.fail(`${name} is for one at a time`);
        return;
      }
      const { screen } = this.#program.model;
      this.#reader.choose(row.name, true);
      // Of the place that was gone to for it.
      if (this.#program.model.screen !== screen) {
        const there = this.#find(name, name);
        if (there === undefined) this.#reader.fail(whyNotHere(this.#program, name) ?? `${name} is nothing here`);
        else there.run({ chord: "", argument: "" });
        return;
      }
    }
    if (isKey) this.#controller.press(given);
    else command.run({ chord: "", argument });
  }

  #askWhich(what: string): void {
    this.#reader.fail(`${what} which? Say its number first, or ${what} and a name`);
  }

  #act(verb: string, argument: string): void {
    const { model, requests } = this.#program;
    const { screen, session } = model;
    const action = screen.kind?.actions.find((each) => each.verb === verb);
    if (screen.kind === undefined || action === undefined) return;
    if (session.readOnly) this.#reader.fail("read-only: nothing can be changed from here");
    else if (argument !== "") requests.ask(screen.kind, action, this.#rows.find(argument));
    else if (this.#reader.isSure) requests.ask(screen.kind, action, targetsOf(screen));
    else this.#askWhich(verb);
  }
}

/** It changes something, or leads somewhere, by where the cursor is. */
function isForOne({ model: { screen } }: Program, { changes, argument, id, group }: Command): boolean {
  if (!(screen instanceof TableScreen) || argument !== undefined || id === "new") return false;
  return (changes === true && group === "Act") || id === "details" || id === "yaml" || id === "open";
}
