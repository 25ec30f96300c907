import { messageOf } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import type { HubConnection } from "../kit/fleet/fleet.js";
import type { Model } from "../kit/model.js";
import type { FleetGateway, HubState } from "./gateway.js";

/** Changes are drawn together when they come in bursts: at most this often. */
const frameMs = 100;

/** Keeps a model up to date with what a gateway tells. */
export class Feed {
  readonly #model: Model;
  #gateway: FleetGateway;
  readonly #log: Log;
  #round = new AbortController();
  #frame: NodeJS.Timeout | undefined;
  #drawnMs = Number.NEGATIVE_INFINITY;

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
    for await (const step of this.#gateway.watch((state, hub) => this.#onState(state, hub), signal)) {
      this.#model.fleet.apply(step, this.#model.nowMs);
      this.#drawSoon();
    }
    // A watch that ends by itself must not be begun again at full speed.
    if (!signal.aborted) throw new Error("the watch ended");
  }

  #onState(state: HubState, hub?: string): void {
    const { fleet, nowMs } = this.#model;
    if (hub === undefined) fleet.setConnection(this.#connectionOf(state, fleet.connection), nowMs);
    else {
      if (state.phase === "refused")
        this.#model.complain("tui.watch_refused", "", `${hub} refuses to be watched: ${messageOf(state.error)}`);
      fleet.setHub(hub, this.#connectionOf(state, fleet.hubs.get(hub)), nowMs);
    }
    this.#drawSoon();
  }

  #connectionOf(state: HubState, before: HubConnection | undefined): HubConnection {
    const { nowMs } = this.#model;
    const fresh = { sinceMs: nowMs, reason: "", retryAtMs: undefined };
    switch (state.phase) {
      case "live":
        return { ...fresh, phase: "live" };
      case "refused":
        return { ...fresh, phase: "refused", reason: messageOf(state.error) };
      case "waiting": {
        this.#log.warn({ err: state.error }, "lost the hub");
        const sinceMs = before?.phase === "lost" ? before.sinceMs : nowMs;
        const retryAtMs = nowMs + state.retryAt.getTime() - Date.now();
        return { phase: "lost", sinceMs, reason: state.error.message, retryAtMs };
      }
      case "connecting":
        return before?.phase === "lost" ? { ...before, retryAtMs: undefined } : { ...fresh, phase: "connecting" };
    }
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

  /** At once where nothing has changed for a while. */
  #drawSoon(): void {
    this.#frame ??= setTimeout(
      () => {
        this.#frame = undefined;
        this.#drawnMs = performance.now();
        this.#model.changed();
      },
      Math.max(0, this.#drawnMs + frameMs - performance.now()),
    );
  }
}
