import { messageOf } from "../../../lib/errors.js";
import type { Model } from "../../kit/model.js";
import type { RolloutNote, RolloutNotes } from "../../settings/rollout-notes.js";
import { Rollout, type RolloutRunner, type RolloutTalk } from "./rollout.js";

/** What they run with. */
export interface RolloutsOptions {
  readonly notes: RolloutNotes;
  /** Ends with the program. */
  readonly signal: AbortSignal;
}

/**
 * What was begun on hosts from the keyboard: each goes on, whatever is looked at, until it or the program ends. What that breaks off is there
 * in the next run, as far as it was.
 */
export class Rollouts {
  readonly #model: Model;
  readonly #run: RolloutRunner;
  readonly #signal: AbortSignal;
  readonly #notes: RolloutNotes;
  readonly #noteOf = new Map<Rollout, RolloutNote>();
  readonly #contextOf = new Map<Rollout, string>();
  readonly #talks = new Map<Rollout, RolloutTalk>();
  readonly #all: Rollout[] = [];

  constructor(model: Model, run: RolloutRunner, { notes, signal }: RolloutsOptions) {
    this.#notes = notes;
    this.#model = model;
    this.#run = run;
    this.#signal = signal;
  }

  /** The one that was begun last: of those that are under way, else of those of the context that were broken off, else of all. */
  get last(): Rollout | undefined {
    return this.running.at(-1) ?? this.#brokenOff.at(-1) ?? this.#all.at(-1);
  }

  get #brokenOff(): readonly Rollout[] {
    return this.#all.filter((each) => each.isBrokenOff && this.isHere(each));
  }

  /** Those that are under way. */
  get running(): readonly Rollout[] {
    return this.#all.filter(({ isRunning }) => isRunning);
  }

  /** Begins `zor host VERB ARGV`. */
  begin(verb: string, argv: readonly string[]): Rollout {
    const rollout = new Rollout(verb, argv);
    const { context } = this.#model.session;
    const note = this.#notes.begin({ context, verb, argv: [...argv], beganMs: Date.now() }, this.#onTrouble);
    this.#add(rollout, context, note);
    void this.#follow(rollout);
    return rollout;
  }

  /** Whether it is of the context that the program is at: begun once more it would be done to that one's hosts. */
  isHere(rollout: Rollout): boolean {
    return this.#contextOf.get(rollout) === this.#model.session.context;
  }

  /** Takes in what earlier runs have left in the context that the program is at, and says so. */
  async recall(): Promise<void> {
    const { context } = this.#model.session;
    try {
      for (const { verb, argv, lines, note } of await this.#notes.left(context, this.#onTrouble)) {
        const rollout = new Rollout(verb, argv);
        for (const { line, atMs } of lines) rollout.take(line, atMs);
        rollout.end(undefined);
        // Nothing was begun, or all was done: there is nothing to go on with.
        if (!rollout.isBrokenOff) await note.remove();
        else if (![...this.#noteOf.values()].some((each) => each.isOf(note))) this.#add(rollout, context, note);
      }
    } catch (error) {
      this.#model.complain("tui.rollouts_not_read", "", `what was left of work on hosts: ${messageOf(error)}`);
    }
    const [last, ...others] = this.#brokenOff.toReversed();
    if (last === undefined) return;
    const more = others.length === 0 ? "" : `; ${others.length} more`;
    const all = last.left + last.through;
    this.#model.say(
      `${last.verb} of hosts was broken off, ${last.done} of ${all} done; :rollout goes on${more}`,
      "warn",
    );
    this.#model.changed();
  }

  /** Begins one that has ended once more. Undefined: another program has it. @throws when what is noted of it cannot be removed. */
  async again(rollout: Rollout): Promise<Rollout | undefined> {
    return (await this.forget(rollout)) ? this.begin(rollout.verb, rollout.argv) : undefined;
  }

  /** Has no later run go on with it. False: another program has it, which is said. @throws when what is noted of it cannot be removed. */
  async forget(rollout: Rollout): Promise<boolean> {
    const note = this.#noteOf.get(rollout);
    const isOurs = note === undefined || (await note.remove());
    this.#noteOf.delete(rollout);
    if (rollout.isBrokenOff) this.#all.splice(this.#all.indexOf(rollout), 1);
    if (isOurs) return true;
    this.#model.say("another zor tui has gone on with it, or was told to forget it", "warn");
    return false;
  }

  pause(rollout: Rollout): void {
    this.#talks.get(rollout)?.say("pause");
  }

  resume(rollout: Rollout): void {
    this.#talks.get(rollout)?.say("resume");
  }

  /** Has it begin no other host; what is under way ends by itself. */
  cancel(rollout: Rollout): void {
    this.#talks.get(rollout)?.say("cancel");
  }

  /** @param text undefined: there is no answer. */
  answer(rollout: Rollout, text: string | undefined): void {
    rollout.question = undefined;
    this.#talks.get(rollout)?.say(text === undefined ? "decline" : `answer ${text}`);
  }

  async #follow(rollout: Rollout): Promise<void> {
    const { verb, argv } = rollout;
    const told = {
      onLine: (line: string): void => {
        const { question } = rollout;
        const { nowMs } = this.#model;
        if (rollout.take(line, nowMs)) this.#noteOf.get(rollout)?.add({ line, atMs: nowMs });
        if (rollout.question !== undefined && rollout.question !== question) this.#ask(rollout);
        this.#model.changed();
      },
      onSaid: (line: string): void => {
        rollout.hear(line);
        this.#model.changed();
      },
    };
    try {
      const talk = this.#run(["host", verb, ...argv, "--steps"], told, this.#signal);
      this.#talks.set(rollout, talk);
      const code = await talk.ended;
      rollout.end(code);
      if (!this.#signal.aborted) this.#tellEnd(rollout, code);
    } catch (error) {
      rollout.hear(messageOf(error));
      rollout.end(1);
      if (!this.#signal.aborted)
        this.#model.complain(`tui.${verb}_failed`, "", `zor host ${verb}: ${messageOf(error)}`);
    }
    this.#talks.delete(rollout);
    // What ends with this program may be told as its own end.
    if (!rollout.isBrokenOff && !this.#signal.aborted) await this.#drop(rollout);
    this.#model.changed();
  }

  async #drop(rollout: Rollout): Promise<void> {
    const note = this.#noteOf.get(rollout);
    this.#noteOf.delete(rollout);
    await note?.remove().catch(this.#onTrouble);
  }

  #add(rollout: Rollout, context: string, note: RolloutNote | undefined): void {
    this.#all.push(rollout);
    this.#contextOf.set(rollout, context);
    if (note !== undefined) this.#noteOf.set(rollout, note);
  }

  readonly #onTrouble = (error: unknown): void => {
    const what = "how far it is cannot be kept for a next run";
    this.#model.complain("tui.rollout_not_kept", "", `work on hosts goes on; ${what}: ${messageOf(error)}`);
  };

  #tellEnd({ verb, said }: Rollout, code: number): void {
    if (code === 0) this.#model.say(`${verb} of hosts is done`);
    else
      this.#model.complain(
        `tui.${verb}_failed`,
        "",
        `${verb} of hosts: ${said.at(-1) ?? `ended with ${code}`}; :rollout shows it`,
      );
  }

  /** At once where nothing else is being typed; the screen asks otherwise. */
  #ask(rollout: Rollout): void {
    if (this.#model.prompt === undefined) this.ask(rollout);
    else this.#model.say(`${rollout.verb} of hosts asks for something; :rollout, then a, answers`, "warn");
  }

  /** Asks what it has to be told. */
  ask(rollout: Rollout): void {
    const { question, verb } = rollout;
    if (question === undefined) return;
    const title = `${verb} of hosts: ${question.prompt}`;
    this.#model.prompt =
      question.type === "secret"
        ? {
            ...{ type: "input", text: "", title, choices: [], isSecret: true },
            go: (text) => this.answer(rollout, text),
          }
        : {
            ...{ type: "question", text: "", title: [...question.lines, title].join(" ") },
            yes: () => this.answer(rollout, "yes"),
            no: () => this.answer(rollout, undefined),
          };
  }
}
