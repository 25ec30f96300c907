import type { Log } from "../../../lib/log.js";
import type { FlowKeeper } from "../flows/flow-keeper.js";
import type { PlugOptions } from "./plug.js";
import { type FlowSettings, needsFlows, portFlows } from "./port-flows.js";
import { PortRates } from "./port-rates.js";

/** What ports do beyond the columns of the switch's database: rates, storm control, address guards. */
export class PortLimits {
  readonly #flows: Pick<FlowKeeper, "set">;
  readonly #rates: PortRates;
  readonly #log: Log;
  /** Of the ports that need flows, with the id of their lan. */
  readonly #wanted = new Map<string, FlowSettings & { readonly lan: string }>();

  /** @param options.tell called with what is wrong with a port's rate, for people, and with "" when it holds again. */
  constructor(options: {
    readonly netns: string;
    readonly log: Log;
    readonly flows: Pick<FlowKeeper, "set">;
    readonly tell: (port: string, fault: string) => void;
  }) {
    this.#flows = options.flows;
    this.#log = options.log;
    this.#rates = new PortRates(options);
  }

  /**
   * What a port is to do from now on; call before it is plugged, and again when it is: then it holds. Idempotent. Resolves to whether flows
   * were changed. @throws {ZorError} FAILED_PRECONDITION: this host cannot; nothing has changed then. {ToolError}
   */
  async set({ port, lan, settings, own }: PlugOptions): Promise<boolean> {
    const before = this.#wanted.get(port);
    const isWanted = settings !== undefined && needsFlows(settings);
    if (isWanted) this.#wanted.set(port, { lan, settings, own });
    else this.#wanted.delete(port);
    try {
      if (isWanted || before?.lan === lan) await this.#apply(lan);
      await this.#rates.set(port, settings?.rateOut);
    } catch (error) {
      if (before === undefined) this.#wanted.delete(port);
      else this.#wanted.set(port, before);
      if (isWanted || before?.lan === lan) await this.#leave(lan);
      throw error;
    }
    if (before !== undefined && before.lan !== lan) await this.#leave(before.lan);
    return isWanted || before !== undefined;
  }

  /** After a change that failed: what holds is what is plugged in. Never rejects. */
  async restore(port: string, plugged: PlugOptions | undefined): Promise<void> {
    await (plugged === undefined ? this.remove(port) : this.set(plugged)).catch((error: unknown) => {
      this.#log.warn({ err: error, port }, "the limits of a port are not what they were before a change that failed");
    });
  }

  /** It is plugged in no more. */
  async remove(port: string): Promise<void> {
    await this.#rates.set(port, undefined);
    const before = this.#wanted.get(port);
    this.#wanted.delete(port);
    if (before !== undefined) await this.#leave(before.lan);
  }

  /** Looks after them no more; they stay. */
  async close(): Promise<void> {
    await this.#rates.close();
  }

  async #apply(lan: string): Promise<void> {
    const wanted = new Map([...this.#wanted].filter(([, each]) => each.lan === lan));
    const build = wanted.size === 0 ? undefined : (ports: Parameters<typeof portFlows>[0]) => portFlows(ports, wanted);
    await this.#flows.set(lan, "port", build);
  }

  /** A lan without the port: what cannot be done now the keeper of flows does later. */
  async #leave(lan: string): Promise<void> {
    await this.#apply(lan).catch((error: unknown) => {
      this.#log.warn({ err: error, lan }, "flows of a port that has left could not be taken away yet");
    });
  }
}
