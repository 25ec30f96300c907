import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import type { Action } from "../kit/action.js";
import { confirmationOf, type Impact, impactTitle, planImpact } from "../kit/impact.js";
import type { TuiKind } from "../kit/kind.js";
import type { Model } from "../kit/model.js";
import { shortName } from "../kit/resource-name.js";
import type { Row } from "../kit/row.js";

/** Calls under way at the same time when many rows are acted on. */
const lanes = 8;

/** Carries out actions. */
export interface ActionRunner {
  /** Asks for something; resolves when it was done or taken on. @throws {ZorError} when it was not. */
  run(action: Action, row: Row, signal: AbortSignal): Promise<void>;
}

/** What is asked of the fleet from the keyboard. */
export class Requests {
  readonly #model: Model;
  readonly #runner: ActionRunner;
  readonly #log: Log;
  readonly #signal: AbortSignal;

  constructor(model: Model, runner: ActionRunner, log: Log, signal: AbortSignal) {
    this.#model = model;
    this.#runner = runner;
    this.#log = log;
    this.#signal = signal;
  }

  /** Does it, or asks first, or says why it cannot be done. */
  ask(kind: TuiKind, asked: Action, rows: readonly Row[]): void {
    if (rows.length === 0) {
      this.#model.say(`nothing to ${asked.verb} here`);
      return;
    }
    const instead = asked.instead?.(rows);
    const action = kind.actions.find(({ verb }) => verb === instead) ?? asked;
    const impact = planImpact(this.#model.fleet, kind, action, rows);
    const [refused] = impact.skipped;
    if (impact.changes.length === 0 && refused !== undefined) {
      const others = impact.skipped.length > 1 ? ` (and ${impact.skipped.length - 1} more)` : "";
      this.#model.say(`cannot ${action.verb} ${refused.subject}: ${refused.effect}${others}`, "warn");
      return;
    }
    const [first] = impact.changes;
    if (action.input !== undefined && first !== undefined) {
      const { label, choices } = action.input;
      const wanted = impact.changes.map(({ row }) => row);
      this.#model.prompt = {
        ...{ type: "input", text: "", title: `${impactTitle(impact)}: ${label}` },
        choices: choices?.(first.row, this.#model.fleet) ?? [],
        go: (text) => this.ask(kind, action.input?.with(text) ?? action, wanted),
      };
      return;
    }
    const phrase = confirmationOf(impact);
    if (phrase === undefined) this.perform(impact);
    else this.#model.prompt = { type: "confirm", impact, phrase, text: "" };
  }

  /** Marks every row as waiting and asks for the change; only an event marks the new state. */
  perform(impact: Impact): void {
    const { fleet, nowMs, screen } = this.#model;
    for (const { row } of impact.changes) fleet.markPending(row, impact.action.verb, nowMs);
    screen.acted?.();
    if (impact.changes.length > 1) this.#model.say(`${impactTitle(impact)}: asked`);
    const queue = impact.changes.map((change) => change.row);
    for (let lane = 0; lane < lanes; lane += 1) void this.#work(impact.action, queue);
  }

  async #work(action: Action, queue: Row[]): Promise<void> {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) await this.#run(action, row);
  }

  async #run(action: Action, row: Row): Promise<void> {
    const { verb } = action;
    try {
      await this.#runner.run(action, row, this.#signal);
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#log.warn({ err: error, verb, resource: row.name }, "an action failed");
      this.#model.fleet.clearPending(row.name);
      this.#model.complain(`tui.${verb}_failed`, row.name, failureText(verb, shortName(row.name), error));
      this.#model.changed();
    }
  }
}

function failureText(verb: string, subject: string, error: unknown): string {
  const unanswered =
    error instanceof ZorError && (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED);
  return unanswered
    ? `${verb} ${subject}: no answer (${messageOf(error)}); it may have happened all the same, its state will tell`
    : `cannot ${verb} ${subject}: ${messageOf(error)}`;
}
