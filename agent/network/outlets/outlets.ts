import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { CollectorStatus, ControllerStatus } from "../../../proto/gen/zor/v1/lan_outlet.js";
import { toldOf } from "../../host/told.js";
import { RelayClient } from "../../relay/protocol/relay-client.js";
import type { RelayState } from "../../relay/protocol/relay-protocol.js";
import { findBridge } from "../lans/bridge-rows.js";
import { Healer } from "../lans/healer.js";
import type { Switch } from "../ovs/switch.js";
import { ControllerSights } from "./controller-sights.js";
import { collectorsOf, controllersOf, type OutletLan, relayWanted, wantedRows } from "./lan-outlets.js";
import { type OutletPolicy, outletRefusal } from "./outlet-policy.js";
import { adjustOutlets, type WantedOutlets } from "./outlet-rows.js";

/** What happened to what leaves a lan. */
export interface OutletChange {
  /** Id of the lan. */
  readonly lan: string;
  /** "controller-connected", "controller-lost", "outlets-healed". */
  readonly type: "controller-connected" | "controller-lost" | "outlets-healed";
  readonly message: string;
}

/** What is seen of what leaves a lan. */
export interface ObservedOutlets {
  readonly controllers: ControllerStatus[];
  readonly collectors: CollectorStatus[];
}

/** What leaves the switches of lans for others, as their kind uses it. */
export interface OutletNetworks {
  /** Why the agent's settings do not let a lan have what its specification says; completes "this host lets no lan …"; undefined: they do. */
  refusal(lan: OutletLan): string | undefined;
  /** Brings a lan to what it says. Idempotent; of one that has no bridge yet it is remembered. @throws {ZorError} then nothing has changed. */
  set(lan: OutletLan): Promise<void>;
  /** The lan is gone, with its bridge. Never rejects. */
  forget(id: string): Promise<void>;
  /** All lans are known: what the relay does for others is of an earlier run. Never rejects. */
  settle(): Promise<void>;
  /** Asks how it is. Never rejects. */
  refresh(): Promise<void>;
  observe(id: string): ObservedOutlets;
  /** Calls back with each change. Returns the way to stop. */
  onChange(listener: (change: OutletChange) => void): () => void;
  /** Looks after them no more; they stay. */
  close(): void;
}

/** Where and how {@link Outlets} works. */
export interface OutletsOptions {
  readonly switch: Switch;
  /** The relay's own. */
  readonly directory: string;
  readonly policy: OutletPolicy;
  readonly log: Log;
  readonly now: () => Date;
}

/**
 * Collectors and controllers of lans. The switch is in a namespace from which nothing leads out: a process of its own, the relay, passes on what
 * it says, and goes on with that when the agent is away.
 */
export class Outlets implements OutletNetworks {
  readonly #options: OutletsOptions;
  readonly #relay: RelayClient;
  readonly #healer: Healer;
  readonly #lans = new Map<string, OutletLan>();
  readonly #sights: ControllerSights;
  readonly #queue = new KeyedQueue(1024);
  readonly #listeners = new Set<(change: OutletChange) => void>();
  readonly #stop: () => void;
  #state: RelayState | undefined;
  #isSettled = false;
  #isClosed = false;

  constructor(options: OutletsOptions) {
    this.#options = options;
    const { switch: opened, directory, log, now } = options;
    this.#relay = new RelayClient({ directory, netns: opened.netns, onLost: () => void this.#revive() });
    this.#healer = new Healer(() => this.#applyAll(), log);
    this.#sights = new ControllerSights(now);
    this.#stop = opened.onChange((change) => {
      if (change !== "structure" || this.#lans.size === 0) return;
      this.#see();
      this.#healer.ask();
    });
  }

  refusal(lan: OutletLan): string | undefined {
    const controllers = lan.controller?.targets ?? [];
    return outletRefusal(this.#options.policy, { collectors: collectorsOf(lan).map(([, each]) => each), controllers });
  }

  async set(lan: OutletLan): Promise<void> {
    const before = this.#lans.get(lan.id);
    const isWanted = lan.controller !== undefined || lan.flowExport !== undefined;
    if (before === undefined && !isWanted && this.#isSettled) return;
    this.#lans.set(lan.id, lan);
    try {
      await this.#sync();
      await this.#apply(lan.id);
    } catch (error) {
      if (before === undefined) this.#lans.delete(lan.id);
      else this.#lans.set(lan.id, before);
      throw error;
    }
    this.#see();
    if (!isWanted && this.#isSettled) this.#lans.delete(lan.id);
  }

  async forget(id: string): Promise<void> {
    if (!this.#lans.delete(id)) return;
    this.#sights.forget(id);
    await this.#sync().catch((error: unknown) => this.#warn(error));
  }

  async settle(): Promise<void> {
    this.#isSettled = true;
    for (const [id, { controller, flowExport }] of [...this.#lans]) {
      if (controller === undefined && flowExport === undefined) this.#lans.delete(id);
    }
    this.#state ??= await this.#relay.state();
    await this.#sync().catch((error: unknown) => this.#warn(error));
  }

  async refresh(): Promise<void> {
    if (this.#isClosed || !this.#isNeeded) return;
    const state = await this.#relay.state();
    if (state === undefined) await this.#revive();
    else this.#state = state;
    this.#see();
  }

  observe(id: string): ObservedOutlets {
    const lan = this.#lans.get(id);
    if (lan === undefined) return { controllers: [], collectors: [] };
    const { policy } = this.#options;
    return {
      controllers: controllersOf(lan, { policy, state: this.#state, sightOf: (target) => this.#sights.of(id, target) }),
      collectors: collectorsOf(lan).map(([format, collector]) => this.#collector(lan, format, collector)),
    };
  }

  onChange(listener: (change: OutletChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    this.#healer.close();
    this.#relay.close();
  }

  get #isNeeded(): boolean {
    const { exports, controllers } = this.#wanted();
    return exports.length + controllers.length > 0;
  }

  #wanted() {
    const { policy, switch: opened } = this.#options;
    const ports = new Map(this.#state?.exports.map(({ id, port }) => [id, port]));
    const context = { policy, directory: opened.directory, portOf: (id: string) => ports.get(id) ?? 0 };
    return relayWanted([...this.#lans.values()], context);
  }

  /** Tells the relay what it is to do. @throws {ZorError} UNAVAILABLE */
  async #sync(): Promise<void> {
    await this.#queue.run("relay", async () => {
      if (this.#isClosed) return;
      const wanted = { ...this.#wanted(), isPartial: !this.#isSettled };
      const isNothing = wanted.exports.length + wanted.controllers.length === 0;
      const does = (this.#state?.exports.length ?? 0) + (this.#state?.controllers.length ?? 0);
      if (isNothing && (does === 0 || wanted.isPartial)) return;
      this.#state = await this.#relay.set(wanted);
      if (isNothing) this.#relay.release();
    });
  }

  async #apply(id: string): Promise<void> {
    const lan = this.#lans.get(id);
    if (lan === undefined) return;
    const { switch: opened } = this.#options;
    const rows = this.#rowsOf(lan);
    await opened.change((mirror) => {
      const bridge = findBridge(mirror, opened.agentUid, id);
      return bridge === undefined ? [] : adjustOutlets(mirror, bridge, rows);
    });
  }

  async #applyAll(): Promise<void> {
    if (this.#isClosed || this.#options.switch.failure !== "") return;
    for (const id of this.#lans.keys()) await this.#apply(id);
  }

  /** The relay has gone, or could not be had before. */
  async #revive(): Promise<void> {
    if (this.#isClosed || !this.#isNeeded) return;
    const hadOne = this.#state !== undefined;
    try {
      await this.#sync();
      await this.#applyAll();
    } catch (error) {
      this.#warn(error);
      return;
    }
    if (!hadOne) return;
    this.#options.log.warn("the process that passes on what lans tell had ended; it was started again");
    const message =
      "what it tells collectors and controllers was not passed on for a moment: the relay had ended, and was started again";
    for (const lan of this.#lans.keys()) this.#tell({ lan, type: "outlets-healed", message });
  }

  /** Looks which controllers have come and gone. */
  #see(): void {
    const { switch: opened } = this.#options;
    if (opened.failure !== "") return;
    for (const [id, lan] of this.#lans) {
      if (lan.controller === undefined) this.#sights.forget(id);
      const bridge = lan.controller === undefined ? undefined : findBridge(opened.mirror, opened.agentUid, id);
      if (bridge === undefined) continue;
      const targets = this.#rowsOf(lan).controllers;
      for (const { target, connected } of this.#sights.look(opened.mirror, bridge, { id, targets })) {
        const type = connected ? "controller-connected" : "controller-lost";
        const message = connected
          ? `controller ${toldOf(target)} is connected`
          : `controller ${toldOf(target)} is lost`;
        this.#tell({ lan: id, type, message });
      }
    }
  }

  #rowsOf(lan: OutletLan): WantedOutlets {
    return wantedRows(lan, { directory: this.#options.switch.directory, state: this.#state });
  }

  #collector(lan: OutletLan, format: CollectorStatus["format"], collector: string): CollectorStatus {
    const refused = outletRefusal(this.#options.policy, { collectors: [collector], controllers: [] });
    const found = this.#state?.exports.find(({ id }) => id === `${lan.uid}/${format}`);
    const state = found?.collectors.find((each) => each.collector === collector);
    const told = found?.fault ?? "the relay of this host does not run; the agent starts it again";
    return {
      ...{ format, collector },
      datagrams: BigInt(state?.datagrams ?? 0),
      bytes: BigInt(state?.bytes ?? 0),
      failedDatagrams: BigInt(state?.failed ?? 0),
      lastError: refused === undefined ? state?.lastError || told : `this host lets no lan ${refused}`,
    };
  }

  #tell(change: OutletChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #warn(error: unknown): void {
    if (!this.#isClosed)
      this.#options.log.warn({ err: error }, "what lans tell others could not be passed on; tried again");
  }
}
