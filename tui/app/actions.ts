import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import { InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { shortName } from "../kit/resource-name.js";
import type { FleetGateway } from "../session/gateway.js";
import { confirmationOf, type Impact, impactTitle, planImpact } from "../kit/impact.js";
import type { Model } from "../kit/model.js";
import type { Verb } from "../kit/fleet/pending.js";
import type { Row } from "../kit/row.js";

/** Calls under way at the same time when many rows are acted on. */
const lanes = 8;

/** What is asked of the fleet from the keyboard. */
export class Actions {
  readonly #model: Model;
  readonly #gateway: FleetGateway;
  readonly #log: Log;
  readonly #signal: AbortSignal;

  constructor(model: Model, gateway: FleetGateway, log: Log, signal: AbortSignal) {
    this.#model = model;
    this.#gateway = gateway;
    this.#log = log;
    this.#signal = signal;
  }

  /** Does it, or asks first, or says why it cannot be done. */
  request(verb: Verb, rows: readonly Row[]): void {
    if (rows.length === 0) {
      this.#model.say(`nothing to ${verb} here`);
      return;
    }
    const impact = planImpact(this.#model.fleet, verb, rows);
    const [refused] = impact.skipped;
    if (impact.changes.length === 0 && refused !== undefined) {
      const others = impact.skipped.length > 1 ? ` (and ${impact.skipped.length - 1} more)` : "";
      this.#model.say(`cannot ${verb} ${refused.subject}: ${refused.effect}${others}`, "warn");
      return;
    }
    const phrase = confirmationOf(impact);
    if (phrase === undefined) this.perform(impact);
    else this.#model.prompt = { type: "confirm", impact, phrase, text: "" };
  }

  /** Pauses, or resumes when everything chosen is paused. */
  togglePause(rows: readonly Row[]): void {
    const paused = rows.every(
      (row) => row.kind === "instances" && row.resource.status?.state === InstanceState.INSTANCE_STATE_PAUSED,
    );
    this.request(paused ? "resume" : "pause", rows);
  }

  /** Marks every row as waiting and asks for the change; only an event marks the new state. */
  perform(impact: Impact): void {
    const { fleet } = this.#model;
    for (const { row } of impact.changes) fleet.markPending(row, impact.verb, this.#model.nowMs);
    const { screen } = this.#model;
    if (screen.type === "table") screen.table.clearMarks();
    if (impact.changes.length > 1) this.#model.say(`${impactTitle(impact)}: asked`);
    const queue = impact.changes.map((change) => change.row);
    for (let lane = 0; lane < lanes; lane += 1) void this.#work(impact.verb, queue);
  }

  async #work(verb: Verb, queue: Row[]): Promise<void> {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) await this.#run(verb, row);
  }

  async #run(verb: Verb, row: Row): Promise<void> {
    try {
      await this.#gateway.run(verb, row, this.#signal);
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#log.warn({ err: error, verb, resource: row.name }, "an action failed");
      this.#model.fleet.clearPending(row.name);
      this.#model.complain(`tui.${verb}_failed`, row.name, failureText(verb, shortName(row.name), error));
      this.#model.changed();
    }
  }
}

function failureText(verb: Verb, subject: string, error: unknown): string {
  const unanswered =
    error instanceof ZorError && (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED);
  return unanswered
    ? `${verb} ${subject}: no answer (${messageOf(error)}); it may have happened all the same, its state will tell`
    : `cannot ${verb} ${subject}: ${messageOf(error)}`;
}
