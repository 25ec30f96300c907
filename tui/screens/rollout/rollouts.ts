import { messageOf } from "../../../lib/errors.js";
import type { Model } from "../../kit/model.js";
import { Rollout, type RolloutRunner, type RolloutTalk } from "./rollout.js";

/** What was begun on hosts from the keyboard: each goes on, whatever is looked at, until it or the program ends. */
export class Rollouts {
  readonly #model: Model;
  readonly #run: RolloutRunner;
  readonly #signal: AbortSignal;
  readonly #talks = new Map<Rollout, RolloutTalk>();
  readonly #all: Rollout[] = [];

  constructor(model: Model, run: RolloutRunner, signal: AbortSignal) {
    this.#model = model;
    this.#run = run;
    this.#signal = signal;
  }

  /** The one that was begun last. */
  get last(): Rollout | undefined {
    return this.#all.at(-1);
  }

  /** Those that are under way. */
  get running(): readonly Rollout[] {
    return this.#all.filter(({ isRunning }) => isRunning);
  }

  /** Begins `zor host VERB ARGV`. */
  begin(verb: string, argv: readonly string[]): Rollout {
    const rollout = new Rollout(verb, argv);
    this.#all.push(rollout);
    void this.#follow(rollout);
    return rollout;
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
        rollout.take(line, this.#model.nowMs);
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
    this.#model.changed();
  }

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
