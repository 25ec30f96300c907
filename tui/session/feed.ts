import { messageOf } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import type { ConnectionState } from "../client/watch.js";
import type { Model } from "../kit/model.js";
import type { FleetGateway } from "./gateway.js";

/** Changes are drawn together when they come in bursts: at most this often. */
const frameMs = 100;

/** Keeps a model up to date with what a gateway tells. */
export class Feed {
  readonly #model: Model;
  #gateway: FleetGateway;
  readonly #log: Log;
  #round = new AbortController();
  #frame: NodeJS.Timeout | undefined;

  constructor(model: Model, gateway: FleetGateway, log: Log) {
    this.#model = model;
    this.#gateway = gateway;
    this.#log = log;
  }

  /** Watches until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const round = new AbortController();
      this.#round = round;
      try {
        await this.#watch(AbortSignal.any([signal, round.signal]));
      } catch (error) {
        if (!signal.aborted && !round.signal.aborted)
          await this.#refused(error, AbortSignal.any([signal, round.signal]));
      }
    }
    clearTimeout(this.#frame);
  }

  /** Watches another hub from now on. */
  use(gateway: FleetGateway): void {
    this.#gateway = gateway;
    this.#round.abort();
  }

  /** Reads everything again, from a new snapshot. */
  resync(): void {
    this.#round.abort();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    for await (const step of this.#gateway.watch((state) => this.#onState(state), signal)) {
      this.#model.fleet.apply(step, this.#model.nowMs);
      this.#drawSoon();
    }
    // A watch that ends by itself must not be begun again at full speed.
    if (!signal.aborted) throw new Error("the watch ended");
  }

  #onState(state: ConnectionState): void {
    const { fleet, nowMs } = this.#model;
    if (state.phase === "live") {
      fleet.setConnection({ phase: "live", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
    } else if (state.phase === "waiting") {
      this.#log.warn({ err: state.error }, "lost the hub");
      const sinceMs = fleet.connection.phase === "lost" ? fleet.connection.sinceMs : nowMs;
      fleet.setConnection(
        {
          phase: "lost",
          sinceMs,
          reason: state.error.message,
          retryAtMs: nowMs + state.retryAt.getTime() - Date.now(),
        },
        nowMs,
      );
    } else if (fleet.connection.phase !== "lost") {
      fleet.setConnection({ phase: "connecting", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
    } else {
      fleet.setConnection({ ...fleet.connection, retryAtMs: undefined }, nowMs);
    }
    this.#drawSoon();
  }

  async #refused(error: unknown, again: AbortSignal): Promise<void> {
    const { fleet, nowMs } = this.#model;
    this.#log.error({ err: error }, "the watch was refused");
    fleet.setConnection({ phase: "refused", sinceMs: nowMs, reason: messageOf(error), retryAtMs: undefined }, nowMs);
    this.#model.complain(
      "tui.watch_refused",
      "",
      `the hub refuses to be watched: ${messageOf(error)}; ctrl-r asks again`,
    );
    this.#drawSoon();
    await new Promise<void>((resolve) => {
      if (again.aborted) resolve();
      again.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #drawSoon(): void {
    this.#frame ??= setTimeout(() => {
      this.#frame = undefined;
      this.#model.changed();
    }, frameMs);
  }
}
