import { nameOf, tagsOf } from "../lans/bridge-rows.js";
import type { OvsdbOperation } from "../ovs/ovsdb-client.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { toMapValue, toSetValue, toUuidValue } from "../ovs/ovsdb-values.js";
import type { Switch } from "../ovs/switch.js";
import { flowPortsOf } from "./flow-ports.js";
import {
  altered,
  differences,
  type FlowBuild,
  type FlowPort,
  flowChanges,
  type HeldFlows,
  isEmpty,
  wantedFlows,
} from "./flow-set.js";
import { FlowTool, type ReadFlows } from "./flow-tool.js";
import type { FlowPart } from "./pipeline.js";

/** By this key of external_ids a bridge says that it may have flows of ours. */
const markKey = "zor-flows";
const nothing: HeldFlows = { flows: new Map(), meters: new Map() };

/** What flows and meters of a lan have met. */
export interface FlowFigures extends ReadFlows {
  /** Frames that meters have dropped. */
  readonly drops: ReadonlyMap<number, bigint>;
  /** What flows had met when the agent began. */
  readonly before: ReadonlyMap<string, bigint>;
  /** What was plugged in then. */
  readonly ports: readonly FlowPort[];
}

/** What is wanted of the flows of one lan, and what its bridge was seen to have. One thing at a time is done with it. */
export class LanFlows {
  /** Why they are not as they should be; empty when they are. */
  fault = "";
  /** What is about to be plugged in, by port: its flows are there before its first frame. */
  readonly expected = new Map<string, FlowPort>();
  readonly #parts = new Map<FlowPart, FlowBuild>();
  /** Flows and meters of an earlier run of the agent, which may be wanted again in a moment. */
  readonly #found = new Set<string | number>();
  #held: HeldFlows | undefined;
  #figures: FlowFigures | undefined;
  /** What flows of an earlier run of the agent had met when this one began. */
  readonly #before = new Map<string, bigint>();
  #missing = 0;
  #key = "";
  #isFirst = true;
  #lookedMs = 0;

  /** Of so many flows nothing is at the switch, since others have the same match and priority. */
  get hidden(): number {
    return this.#missing;
  }

  /** Some part wants something. */
  get isWanted(): boolean {
    return this.#parts.size > 0;
  }

  /** What its flows and meters have met, as of the last look; undefined: it was not looked at. */
  get figures(): FlowFigures | undefined {
    return this.#figures;
  }

  /** What a part wants now, and what its flows may name; undefined: it wants nothing. */
  wantedOf(
    part: FlowPart,
    sw: Switch,
    bridge: MirroredRow,
  ): { readonly build: FlowBuild; readonly ports: readonly FlowPort[] } | undefined {
    const build = this.#parts.get(part);
    return build && { build, ports: flowPortsOf(sw.mirror, bridge, this.expected).ports };
  }

  /** Says what a part wants from now on; returns what it wanted before. */
  want(part: FlowPart, build: FlowBuild | undefined): FlowBuild | undefined {
    const before = this.#parts.get(part);
    if (build === undefined) this.#parts.delete(part);
    else this.#parts.set(part, build);
    return before;
  }

  /** It is not known any more what the bridge has. */
  lost(): void {
    this.#held = undefined;
  }

  /** What was found of an earlier run is wanted by nobody. */
  settle(): void {
    this.#found.clear();
  }

  /** Whether the bridge, or its ports, are others than when they were last looked at. */
  isMoved(mirror: OvsdbMirror, bridge: MirroredRow): boolean {
    return this.isWanted && keyOf(mirror, bridge, this.expected) !== this.#key;
  }

  /** Whether it is time to look again. Counts as done. */
  isDue(nowMs: number, intervalMs: number): boolean {
    const isIdle = this.#held === nothing && this.fault === "";
    if (isIdle || nowMs - this.#lookedMs < intervalMs) return false;
    this.#lookedMs = nowMs;
    return true;
  }

  /** Brings a bridge to what is wanted. @throws {ToolError} {ZorError} */
  async apply(sw: Switch, bridge: MirroredRow, isSettled: boolean): Promise<void> {
    const { mirror } = sw;
    const key = keyOf(mirror, bridge, this.expected);
    if (bridge.uuid !== this.#key.split(" ")[0]) this.#held = undefined;
    const wanted = wantedFlows(this.#parts, flowPortsOf(mirror, bridge, this.expected));
    const isMarked = tagsOf(bridge).has(markKey);
    const isWanted = wanted.flows.size + wanted.meters.size > 0;
    this.#key = key;
    if (!isMarked && !isWanted) {
      this.#held = nothing;
      this.#figures = undefined;
      return;
    }
    if (!isMarked) await sw.change(() => [mark(bridge, "insert")]);
    const tool = new FlowTool(sw.directory, nameOf(bridge));
    const read = this.#held === undefined && isMarked ? await tool.read() : undefined;
    const held = this.#held ?? (read === undefined ? nothing : await distrust(tool, read, wanted));
    if (this.#isFirst && read !== undefined)
      for (const [cookie, frames] of read.frames)
        if (held.flows.get(cookie) !== altered) this.#before.set(cookie, frames);
    if (this.#isFirst && !isSettled) for (const each of keysOf(held)) this.#found.add(each);
    this.#isFirst = false;
    for (const each of keysOf(wanted)) this.#found.delete(each);
    const changes = flowChanges(held, wanted, (each) => this.#found.has(each));
    if (isEmpty(changes) && this.#held !== undefined) return;
    if (isEmpty(changes) && read !== undefined && held.flows.size > 0) {
      // All is as it should be, as was just seen.
      this.#held = held;
      this.#missing = 0;
      return;
    }
    this.#held = undefined;
    if (!isWanted && this.#found.size === 0 && !(await tool.hasDefault())) await tool.addDefault();
    await tool.change(changes);
    const now = await tool.read();
    this.#missing = [...wanted.flows.keys()].filter((cookie) => !now.flows.has(cookie)).length;
    if (now.flows.size + now.meters.size === 0) {
      await sw.change(() => [mark(bridge, "delete")]);
      this.#held = nothing;
    } else this.#held = now;
  }

  /** Resolves to how much of what the bridge had of ours somebody has changed, which {@link apply} puts right then. @throws {ToolError} */
  async findChanged(sw: Switch, bridge: MirroredRow): Promise<number> {
    const held = this.#held;
    if (held === undefined || held === nothing) return 0;
    const tool = new FlowTool(sw.directory, nameOf(bridge));
    const now = await tool.read();
    const drops = now.meters.size === 0 ? new Map<number, bigint>() : await tool.readDrops();
    this.#figures = { ...now, drops, before: this.#before, ports: flowPortsOf(sw.mirror, bridge).ports };
    const changed = differences(held, now);
    // What is not as it was is as good as missing; what was not there is to go.
    const isOther = (cookie: string, flow: string): boolean => (held.flows.get(cookie) ?? flow) !== flow;
    const flows = [...now.flows].map(([cookie, flow]) => [cookie, isOther(cookie, flow) ? altered : flow] as const);
    if (changed > 0) this.#held = { flows: new Map(flows), meters: now.meters };
    // What is made again counts from nothing.
    for (const cookie of this.#before.keys())
      if (isOther(cookie, now.flows.get(cookie) ?? altered)) this.#before.delete(cookie);
    return changed;
  }
}

/**
 * What a bridge has that was not made just now. Its flows may have been changed meanwhile, and how the switch writes them does not tell: it
 * is asked which are as they are wanted. Those stay as they are, with what they have counted.
 */
async function distrust(tool: FlowTool, { flows, meters }: HeldFlows, wanted: HeldFlows): Promise<HeldFlows> {
  const there = new Map([...wanted.flows].filter(([cookie]) => flows.has(cookie)));
  if (there.size === 0) return { flows, meters };
  // What cannot be compared is as good as changed.
  const others = await tool.findAltered(there).catch(() => new Set(there.keys()));
  return {
    flows: new Map([...flows].map(([cookie, flow]) => [cookie, others.has(cookie) ? altered : flow])),
    meters,
  };
}

function keysOf({ flows, meters }: HeldFlows): readonly (string | number)[] {
  return [...flows.keys(), ...meters.keys()];
}

/** Changes with the bridge and what is plugged into it. */
function keyOf(mirror: OvsdbMirror, bridge: MirroredRow, expected: ReadonlyMap<string, FlowPort>): string {
  return `${bridge.uuid} ${JSON.stringify(flowPortsOf(mirror, bridge, expected))}`;
}

function mark({ uuid }: MirroredRow, mutator: "insert" | "delete"): OvsdbOperation {
  const value = mutator === "insert" ? toMapValue({ [markKey]: "true" }) : toSetValue([markKey]);
  const where = [["_uuid", "==", toUuidValue(uuid)]];
  return { op: "mutate", table: "Bridge", where, mutations: [["external_ids", mutator, value]] };
}
