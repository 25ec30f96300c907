import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition, unavailable, ZorError } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { LanFlow, LanMac } from "../../../proto/gen/zor/v1/lan_flow.js";
import { AtOnce } from "../../host/at-once.js";
import { ToolError } from "../../host/exec.js";
import { toldOf } from "../../host/told.js";
import { findBridge, nameOf } from "../lans/bridge-rows.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import type { Switch } from "../ovs/switch.js";
import { dumpedFlows, readMacs } from "./flow-dump.js";
import { flowPortsOf, nextNumber } from "./flow-ports.js";
import type { FlowBuild, FlowPort } from "./flow-set.js";
import { type FlowCount, FlowTool } from "./flow-tool.js";
import { type FlowFigures, LanFlows } from "./lan-flows.js";
import type { FlowPart } from "./pipeline.js";

/** What happened to the flows of a lan. */
export interface FlowChange {
  /** Id of the lan. */
  readonly lan: string;
  /** Why they are not as they should be, for people; empty: they are again. */
  readonly fault: string;
  /** What somebody else did to them, and was put right; empty: nothing. */
  readonly healed: string;
}

/** What a part wants of a lan, and what flows of ours have met there. */
export interface CountedFlows {
  readonly build: FlowBuild;
  /** What it was made for. */
  readonly ports: readonly FlowPort[];
  /** By cookie; all that the bridge has of ours. */
  readonly counts: ReadonlyMap<string, FlowCount>;
}

const usualLookMs = 10_000;
/** Between two tries to put right what could not be. */
const retryMs = 1_000;
/** How long a switch that was started waits for flows that cannot be made, or for an agent that is slow to take up what runs. */
const holdMs = { flows: 5_000, start: 30_000 } as const;
/** Between two tries to make them meanwhile. */
const holdRetryMs = 200;

/**
 * Keeps flows and meters at the bridges of lans as the parts of the agent want them: see pipeline.ts for whose is what. They are made again
 * when the switch was restarted, and put right when somebody else changed them; flows of others stay. Of a lan that has none the switch is
 * never asked.
 */
export class FlowKeeper {
  readonly #switch: Switch;
  readonly #log: Log;
  readonly #lookMs: number;
  readonly #lans = new Map<string, LanFlows>();
  readonly #queue = new KeyedQueue(1024);
  /** Viewers may look at flows, as often as they like. */
  readonly #dumps = new AtOnce({ most: 4, reason: "FLOWS_BUSY", what: "callers look at flows of this host" });
  readonly #listeners = new Set<(change: FlowChange) => void>();
  readonly #looks = new Set<(lan: string) => void>();
  readonly #stops: readonly (() => void)[];
  readonly #startTimer: NodeJS.Timeout;
  #isSettled = false;
  #isClosed = false;

  /** @param options.lookMs between two looks whether somebody has changed flows of ours; default: 10,000. */
  constructor(options: { readonly switch: Switch; readonly log: Log; readonly lookMs?: number }) {
    this.#lookMs = options.lookMs ?? usualLookMs;
    this.#switch = options.switch;
    this.#log = options.log;
    const timer = setInterval(() => this.#look(), retryMs);
    this.#startTimer = setTimeout(() => this.#waitNoMore(), holdMs.start);
    this.#stops = [
      () => clearInterval(timer),
      () => clearTimeout(this.#startTimer),
      options.switch.onChange((change) => {
        if (change === "structure") this.#follow();
      }),
    ];
  }

  /**
   * Sets all that a part wants of a lan; undefined: nothing. Resolves when the switch has it; of a lan that has no bridge yet, at once. The
   * set is made anew whenever ports come, go or change their numbers.
   * @throws {ZorError} FAILED_PRECONDITION: the switch refused it; UNAVAILABLE. What the part had before holds on.
   */
  async set(lan: string, part: FlowPart, build: FlowBuild | undefined): Promise<void> {
    await this.#queue.run(lan, async () => {
      const flows = this.#lans.get(lan) ?? new LanFlows();
      this.#lans.set(lan, flows);
      const before = flows.want(part, build);
      try {
        await this.#apply(lan, flows);
      } catch (error) {
        // What nobody wants any more is taken away as soon as that can be done.
        if (build === undefined) return;
        flows.want(part, before);
        throw refusal(lan, error);
      }
    });
  }

  /**
   * Makes the flows of a port that is about to be plugged in, before its first frame.
   * @returns the number that it is to have, and what is to be called when it is plugged in or will not be; undefined: there are no flows.
   * @throws {ZorError} FAILED_PRECONDITION: the switch refused them; UNAVAILABLE
   */
  async expect(
    lan: string,
    { port, endpoint }: Pick<FlowPort, "port" | "endpoint">,
  ): Promise<{ readonly number: number; readonly done: () => void } | undefined> {
    const flows = this.#lans.get(lan);
    const bridge = this.#findBridge(lan);
    if (flows === undefined || !flows.isWanted || bridge === undefined) return undefined;
    const number = nextNumber(this.#switch.mirror, bridge, flows.expected);
    const expected = { port, endpoint, number };
    flows.expected.set(port, expected);
    const done = (): void => {
      if (flows.expected.get(port) === expected) flows.expected.delete(port);
      this.#follow();
    };
    try {
      await this.#queue.run(lan, () => this.#apply(lan, flows));
    } catch (error) {
      done();
      throw refusal(lan, error);
    }
    return { number, done };
  }

  /** The lan is gone, with its bridge. */
  forget(lan: string): void {
    this.#lans.delete(lan);
  }

  /**
   * From now on flows of ours that nobody wants are left from an earlier run of the agent: they are removed. A switch that this agent started
   * forwards from now on. Never rejects.
   */
  async settle(): Promise<void> {
    clearTimeout(this.#startTimer);
    this.#isSettled = true;
    for (const flows of this.#lans.values()) flows.settle();
    await this.#makeAll();
    await this.#letPass();
  }

  /** The daemons of the switch were started again: what they had of flows is gone. It forwards when it has them. Never rejects. */
  async restore(): Promise<void> {
    for (const flows of this.#lans.values()) flows.lost();
    await this.#makeAll();
    // Who wants flows has not said so yet.
    if (this.#isSettled) await this.#letPass();
  }

  /** Why a lan's flows are not as they should be, for people; empty when they are. */
  faultOf(lan: string): string {
    return this.#lans.get(lan)?.fault ?? "";
  }

  /** What the flows and meters of a lan have met, as of the last look; undefined: it has none. */
  figuresOf(lan: string): FlowFigures | undefined {
    return this.#lans.get(lan)?.figures;
  }

  /** Calls back when the flows of a lan were looked at. */
  onLook(listener: (lan: string) => void): void {
    this.#looks.add(listener);
  }

  /** What is plugged into a lan, as flows may name it. */
  portsOf(lan: string): readonly FlowPort[] {
    const bridge = this.#findBridge(lan);
    return bridge === undefined ? [] : flowPortsOf(this.#switch.mirror, bridge).ports;
  }

  /** The flows that the bridge of a lan has now. @param texts of the lan's specification. @throws {ZorError} {ToolError} */
  async dump(lan: string, texts: readonly string[]): Promise<LanFlow[]> {
    const ports = this.portsOf(lan);
    const tool = new FlowTool(this.#switch.directory, this.#bridgeOf(lan));
    const dump = await this.#dumps.run(() => tool.dump());
    return dumpedFlows(dump, ports, texts);
  }

  /** What the flows of a part have met, by one look at the bridge; undefined: it wants none of this lan. @throws {ZorError} {ToolError} */
  async count(lan: string, part: FlowPart): Promise<CountedFlows | undefined> {
    const count = async (): Promise<CountedFlows | undefined> => {
      const bridge = this.#findBridge(lan);
      const tool = new FlowTool(this.#switch.directory, this.#bridgeOf(lan));
      const wanted = bridge && this.#lans.get(lan)?.wantedOf(part, this.#switch, bridge);
      return wanted && { ...wanted, counts: await tool.counts() };
    };
    // In turn with changes: what is wanted is what the bridge was brought to.
    return this.#dumps.run(() => this.#queue.run(lan, count));
  }

  /** The addresses that the bridge of a lan has learned. @throws {ZorError} */
  async macs(lan: string): Promise<LanMac[]> {
    return readMacs(await this.#switch.learned(this.#bridgeOf(lan)), this.portsOf(lan));
  }

  /** Calls back when flows cease to be as they should, when they are again, and when somebody else's change was put right. */
  onChange(listener: (change: FlowChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks after them no more; they stay. */
  close(): void {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
  }

  #bridgeOf(lan: string): string {
    const bridge = this.#findBridge(lan);
    if (bridge !== undefined) return nameOf(bridge);
    throw unavailable(
      "LAN_HAS_NO_BRIDGE",
      `lans/${lan}`,
      `the switch does not have lan ${lan} now; the agent makes it again`,
    );
  }

  #findBridge(lan: string): MirroredRow | undefined {
    return findBridge(this.#switch.mirror, this.#switch.agentUid, lan);
  }

  /** Brings the bridge to what is wanted. Rejects when it cannot be, and says so as the lan's fault. */
  async #apply(lan: string, flows: LanFlows): Promise<void> {
    if (this.#isClosed) return;
    try {
      const bridge = this.#findBridge(lan);
      if (bridge === undefined) flows.lost();
      else await flows.apply(this.#switch, bridge, this.#isSettled);
      this.#tell(lan, flows, flows.hidden === 0 ? "" : `${flows.hidden} of its flows are hidden by others`);
    } catch (error) {
      flows.lost();
      // What is refused of a new set is its caller's to say.
      this.#tell(lan, flows, `its flows are not as they should be: ${toldOf(error)}`);
      throw error;
    }
  }

  /** Resolves to whether it could be done. */
  async #ask(lan: string, flows: LanFlows): Promise<boolean> {
    try {
      await this.#queue.run(lan, async () => {
        if (this.#lans.get(lan) === flows) await this.#apply(lan, flows);
      });
      return true;
    } catch (error) {
      if (!this.#isClosed) this.#log.warn({ err: error, lan }, "the flows of a lan could not be made");
      return false;
    }
  }

  /** Makes the flows of all lans; while the switch holds frames back for them, what cannot be made is tried again for a while. */
  async #makeAll(): Promise<void> {
    const deadline = performance.now() + holdMs.flows;
    let left = [...this.#lans];
    for (;;) {
      const made = await Promise.all(left.map(([lan, flows]) => this.#ask(lan, flows)));
      left = left.filter((_, index) => made[index] === false);
      if (left.length === 0 || this.#isClosed || !this.#switch.isHoldingBack || performance.now() > deadline) return;
      await delay(holdRetryMs);
    }
  }

  /** Never rejects: a switch that has gone meanwhile is started again, and let pass then. */
  async #letPass(): Promise<void> {
    await this.#switch.letPass().catch((error: unknown) => {
      this.#log.warn({ err: error }, "the switch could not be told to forward");
    });
  }

  #waitNoMore(): void {
    if (!this.#switch.isHoldingBack) return;
    this.#log.warn("taking up what runs takes long; frames pass from now on, whether all flows are made or not");
    void this.#letPass();
  }

  /** Ports may have come, gone, or got other numbers. */
  #follow(): void {
    if (this.#switch.failure !== "") return;
    for (const [lan, flows] of this.#lans) {
      const bridge = this.#findBridge(lan);
      if (bridge !== undefined && flows.isMoved(this.#switch.mirror, bridge)) void this.#ask(lan, flows);
    }
  }

  #look(): void {
    if (this.#switch.failure !== "") return;
    const nowMs = performance.now();
    for (const [lan, flows] of this.#lans) {
      if (!flows.isDue(nowMs, flows.fault === "" ? this.#lookMs : retryMs)) continue;
      void this.#queue.run(lan, () => this.#heal(lan, flows)).catch(() => undefined);
    }
  }

  /** Puts right what somebody else did, or what could not be done before. What cannot be is told as a fault. */
  async #heal(lan: string, flows: LanFlows): Promise<void> {
    if (this.#isClosed || this.#lans.get(lan) !== flows) return;
    const bridge = this.#findBridge(lan);
    if (bridge === undefined) return;
    const changed = await flows.findChanged(this.#switch, bridge);
    for (const listener of this.#looks) listener(lan);
    if (changed === 0 && flows.fault === "") return;
    await this.#apply(lan, flows);
    if (changed === 0) return;
    const healed = `${changed} of its flows and meters were changed at the switch; they are put right`;
    this.#log.warn({ lan, changed }, "flows of a lan were changed at the switch by somebody else; put right");
    for (const listener of this.#listeners) listener({ lan, fault: "", healed });
  }

  #tell(lan: string, flows: LanFlows, fault: string): void {
    if (flows.fault === fault) return;
    flows.fault = fault;
    for (const listener of this.#listeners) listener({ lan, fault, healed: "" });
  }
}

function refusal(lan: string, error: unknown): Error {
  if (error instanceof ZorError) return error;
  if (!(error instanceof ToolError)) throw error;
  const what = `the switch does not take the flows of lan ${lan}`;
  return error.exitCode === undefined
    ? unavailable("FLOWS_NOT_SET", `lans/${lan}`, `${what}: ${toldOf(error)}`, error)
    : failedPrecondition("FLOWS_REFUSED", `lans/${lan}`, `${what}: ${toldOf(error)}`);
}
