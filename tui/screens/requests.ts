import { status } from "@grpc/grpc-js";
import { countedNames } from "../../lib/counted-names.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import type { Action, WaveAction } from "../kit/action.js";
import { confirmationOf, type Impact, impactTitle, planImpact } from "../kit/impact.js";
import type { TuiKind } from "../kit/kind.js";
import type { Model } from "../kit/model.js";
import { shortName } from "../kit/resource-name.js";
import type { Row } from "../kit/row.js";
import { type Undoable, undoing, UndoStack } from "../kit/undo.js";

/** Calls under way at the same time when many rows are acted on. */
const lanes = 8;
/** The API's bound of one wave. */
const mostOfWave = 1000;
/** What part of many may fail, at the least three, before it pauses. */
const [budget, leastBudget] = [0.1, 3];

/** Carries out actions. */
export interface ActionRunner {
  /** Asks for something; resolves when it was done or taken on. @throws {ZorError} when it was not. */
  run(action: Action, row: Row, signal: AbortSignal): Promise<void>;
  /**
   * Does it to many as one operation of the hub, which outlives this program; resolves when it has ended. Resolves to false when the server
   * has no waves, and nothing was asked for.
   */
  runWave(wave: WaveRequest, signal: AbortSignal): Promise<boolean>;
}

/** One thing that is done to many. */
export interface WaveRequest {
  readonly wave: WaveAction;
  /** Names of what it is done to, at most 1000. */
  readonly names: readonly string[];
  /** So many may fail before it pauses. */
  readonly maxFailures: number;
  /** Told the name of its operation. */
  readonly onBegun: (operation: string) => void;
  /** Told of each that is begun, or was before anybody looked. */
  readonly onStarted: (name: string) => void;
  readonly onFailed: (name: string, error: unknown) => void;
  /** Told of those that were never begun, and why not. */
  readonly onSkipped: (names: readonly string[], why: string) => void;
}

/** What is asked of the fleet from the keyboard. */
export class Requests {
  readonly #model: Model;
  readonly #runner: ActionRunner;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  /** What was done from here and has an inverse. */
  readonly undo = new UndoStack();
  /** Shows a wave that was just begun from here. @param names of what it is done to. */
  showWave: (operation: string, names: readonly string[]) => void = () => undefined;
  #underWay = 0;

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
    const unseen = new Set((this.#model.screen.unseen?.() ?? []).map(({ name }) => name));
    const impact = { ...planImpact(this.#model.fleet, kind, action, rows), unseen };
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
    const phrase = confirmationOf(impact, this.#model.typeNumberAbove);
    if (phrase === undefined) this.perform(impact);
    else this.#model.prompt = { type: "confirm", impact, phrase, text: "" };
  }

  /** How many have been asked for and are not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Marks every row as waiting and asks for the change; only an event marks the new state. */
  perform(impact: Impact): void {
    const { kind, action } = impact;
    const done: Undoable = { title: impactTitle(impact), kind, atMs: this.#model.nowMs, steps: new Map() };
    const onDone = (row: Row): void => this.undo.note(done, row, action);
    const { fleet, nowMs, screen } = this.#model;
    for (const { row } of impact.changes) fleet.markPending(row, action.verb, nowMs, action.patienceMs);
    screen.acted?.();
    if (impact.changes.length > 1) this.#model.say(`${impactTitle(impact)}: asked`);
    const rows = impact.changes.map((change) => change.row);
    this.#underWay += rows.length;
    void this.#perform(action, rows, onDone).finally(() => {
      this.#underWay -= rows.length;
    });
  }

  /** Undoes what was done last, where it can be: asks first as for anything else. */
  undoLast(): void {
    const last = this.undo.take();
    const action = last === undefined ? undefined : undoing(last);
    if (last === undefined || action === undefined) {
      this.#model.say("nothing was done from here that can be undone");
      return;
    }
    const rows = [...last.steps.keys()].flatMap((name) => this.#model.fleet.find(last.kind.kind, name) ?? []);
    if (rows.length === 0) this.#model.say(`${last.title}: it is gone, and cannot be undone`, "warn");
    else {
      this.#model.say(`undoing ${last.title}: ${action.verb}`);
      this.ask(last.kind, action, rows);
    }
  }

  async #perform(action: Action, rows: readonly Row[], onDone: (row: Row) => void): Promise<void> {
    const queue = [...rows];
    if (action.wave !== undefined && rows.length > 1) {
      while (queue.length > 0) {
        const isDone = await this.#wave({ action, wave: action.wave, onDone }, queue.slice(0, mostOfWave));
        if (!isDone) break;
        queue.splice(0, mostOfWave);
      }
    }
    await Promise.all(Array.from({ length: lanes }, () => this.#work(action, queue, onDone)));
  }

  /** Resolves to false when it has to be done one by one. */
  async #wave(
    { action, wave, onDone }: { action: Action; wave: WaveAction; onDone: (row: Row) => void },
    rows: readonly Row[],
  ): Promise<boolean> {
    const names = rows.map(({ name }) => name);
    const { fleet } = this.#model;
    const failed = new Set<string>();
    const onFailed = (name: string, error: unknown): void => {
      failed.add(name);
      this.#failed(action.verb, name, error);
    };
    const onBegun = (operation: string): void => {
      for (const name of names) fleet.queuePending(name, true, this.#model.nowMs);
      this.showWave(operation, names);
      this.#model.changed();
    };
    const onStarted = (name: string): void => fleet.queuePending(name, false, this.#model.nowMs);
    const onSkipped = (skipped: readonly string[], why: string): void => {
      for (const name of skipped) {
        failed.add(name);
        fleet.clearPending(name);
      }
      const [first = ""] = skipped;
      const what = skipped.length === 1 ? shortName(first) : countedNames(skipped);
      this.#model.complain(`tui.${action.verb}_skipped`, first, `${action.verb} of ${what} was not begun: ${why}`);
      this.#model.changed();
    };
    const maxFailures = Math.min(names.length, Math.max(leastBudget, Math.ceil(names.length * budget)));
    const told = { onBegun, onStarted, onFailed, onSkipped };
    try {
      const hasWaves = await this.#runner.runWave({ wave, names, maxFailures, ...told }, this.#signal);
      if (hasWaves) for (const row of rows.filter(({ name }) => !failed.has(name))) onDone(row);
      return hasWaves;
    } catch (error) {
      if (!this.#signal.aborted) for (const name of names) onFailed(name, error);
      return true;
    }
  }

  async #work(action: Action, queue: Row[], onDone: (row: Row) => void): Promise<void> {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) await this.#run(action, row, onDone);
  }

  async #run(action: Action, row: Row, onDone: (row: Row) => void): Promise<void> {
    const { verb } = action;
    try {
      await this.#runner.run(action, row, this.#signal);
      onDone(row);
    } catch (error) {
      if (!this.#signal.aborted) this.#failed(verb, row.name, error);
    }
  }

  #failed(verb: string, name: string, error: unknown): void {
    this.#log.warn({ err: error, verb, resource: name }, "an action failed");
    this.#model.fleet.clearPending(name);
    const what = isUnanswered(error) ? "unconfirmed" : "failed";
    this.#model.complain(`tui.${verb}_${what}`, name, failureText(verb, shortName(name), error));
    this.#model.changed();
  }
}

/** Nobody can tell whether it was done. */
function isUnanswered(error: unknown): error is ZorError {
  return error instanceof ZorError && (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED);
}

function failureText(verb: string, subject: string, error: unknown): string {
  return isUnanswered(error)
    ? `${verb} ${subject}: unconfirmed, no answer (${messageOf(error)}); it may have happened all the same, its state will tell`
    : `cannot ${verb} ${subject}: ${messageOf(error)}`;
}
