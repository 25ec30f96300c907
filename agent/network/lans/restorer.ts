import type { Log } from "../../../lib/log.js";
import type { LanConfig } from "../bridge-operations.js";
import type { FlowKeeper } from "../flows/flow-keeper.js";
import type { SwitchRestart } from "../ovs/daemons.js";
import type { Switch } from "../ovs/switch.js";
import { findBridge, nameOf } from "./bridge-rows.js";
import { idsOf, type PlugOptions } from "./plug.js";

/** Something that was put right by itself. */
export interface Healed {
  /** Type of the event that tells it. */
  readonly type: "lan.healed" | "host.switch-restarted" | "host.switch-continued";
  /** Id of the lan; "": the switch as a whole. */
  readonly lan: string;
  /** What was wrong, and what was done, for people. */
  readonly what: string;
}

/** What a {@link Restorer} works with. */
interface RestorerOptions {
  readonly switch: Pick<Switch, "agentUid" | "failure" | "isHoldingBack" | "mirror">;
  readonly log: Log;
  readonly flows: Pick<FlowKeeper, "restore">;
  /** The lans as they are wanted, by id; the caller's, which changes them. */
  readonly lans: ReadonlyMap<string, LanConfig>;
  /** What is plugged in, by port; the caller's too. What fails to be plugged in again stays in it. */
  readonly plugs: Map<string, PlugOptions>;
  readonly ensureLan: (lan: LanConfig) => Promise<void>;
  readonly plug: (plug: PlugOptions) => Promise<void>;
}

/** Makes lans and what is plugged into them again: when the switch was started again, and when somebody took a bridge away. */
export class Restorer {
  readonly #options: RestorerOptions;
  /** Lans whose bridge was made: one that is not there was taken away. */
  readonly #made = new Set<string>();
  readonly #listeners = new Set<(healed: Healed) => void>();

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  /** The bridge of a lan is there. */
  made(lan: string): void {
    this.#made.add(lan);
  }

  /** The lan is no more. */
  forget(lan: string): void {
    this.#made.delete(lan);
  }

  /** Calls back with what was put right. Returns the way to stop. */
  onHealed(listener: (healed: Healed) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Daemons of the switch were started again. What their database still has of lans and ports they have made; then their flows alone are
   * missing, and frames pass as soon as those are there. Of a database that was lost all is made first. Those that go on after they were
   * stopped have all they had. Never rejects.
   */
  async restart({ daemons, sinceMs, how }: SwitchRestart): Promise<void> {
    if (how === "continued") {
      const what = `${daemons.join(" and ")} of the lans' switch was stopped by a signal`;
      const after = `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
      this.#tell({ type: "host.switch-continued", lan: "", what: `${what}; it was told to go on after ${after}` });
      return;
    }
    const isWhole = this.#isWhole();
    if (!isWhole) await this.#makeAll();
    await this.#options.flows.restore();
    const seconds = ((performance.now() - sinceMs) / 1000).toFixed(1);
    const gap = daemons.includes("ovs-vswitchd") ? `; no frames passed for ${seconds} s` : "";
    this.#tell({
      ...{ type: "host.switch-restarted", lan: "" },
      what: `${daemons.join(" and ")} of the lans' switch had ended, and was started again${gap}`,
    });
    if (isWhole) await this.#makeAll();
  }

  /** Makes bridges that somebody took away; what was plugged in there is put right after that as any port is. */
  async makeBridges(): Promise<void> {
    const { lans, log, ensureLan } = this.#options;
    for (const id of this.#made) {
      const lan = lans.get(id);
      if (lan === undefined || this.#hasBridge(id)) continue;
      log.warn({ lan: id }, "the bridge of a lan was removed at the switch by somebody else; it is made again");
      await ensureLan(lan);
      // It was deleted meanwhile, in good order.
      if (!this.#made.has(id)) continue;
      this.#tell({
        ...{ type: "lan.healed", lan: id },
        what: "its bridge was removed at the switch; it was made again, and what was plugged in there",
      });
    }
  }

  async #makeAll(): Promise<void> {
    const { lans, plugs, ensureLan, plug, log } = this.#options;
    for (const lan of lans.values()) {
      await ensureLan(lan).catch((error: unknown) => {
        log.error({ err: error, lan: lan.id }, "a lan could not be made again after the switch was restarted");
      });
    }
    for (const each of [...plugs.values()]) {
      await plug(each).catch((error: unknown) => {
        plugs.set(each.port, each);
        const message = "an endpoint could not be plugged again after the switch was restarted";
        log.error({ err: error, ...idsOf(each) }, message);
      });
    }
  }

  /** Whether the database has all that there should be. */
  #isWhole(): boolean {
    try {
      const { mirror } = this.#options.switch;
      const ports = new Set(mirror.list("Port").map(nameOf));
      const areLans = [...this.#options.lans.keys()].every((id) => this.#hasBridge(id));
      return areLans && [...this.#options.plugs.keys()].every((port) => ports.has(port));
    } catch {
      // It has gone again.
      return true;
    }
  }

  #hasBridge(lan: string): boolean {
    return findBridge(this.#options.switch.mirror, this.#options.switch.agentUid, lan) !== undefined;
  }

  #tell(healed: Healed): void {
    for (const listener of this.#listeners) listener(healed);
  }
}
