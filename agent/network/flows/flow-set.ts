import { createHash } from "node:crypto";
import { type FlowPart, glueCookie, glueFlows, partRanges } from "./pipeline.js";

/** A port of a lan's bridge that flows may name. */
export interface FlowPort {
  /** Name of the device. */
  readonly port: string;
  /** Resource name of the endpoint. */
  readonly endpoint: string;
  /** Its OpenFlow number: another one when it was plugged in again. */
  readonly number: number;
}

/** A limit that flows refer to by `meter:ID`. */
export interface FlowMeter {
  /** In the range of its part. */
  readonly id: number;
  /** Kilobits or packets a second. */
  readonly unit: "kbps" | "pktps";
  readonly rate: number;
  /** Kilobits or packets at once. */
  readonly burst: number;
}

/** All that a part wants of a lan. */
export interface FlowSet {
  /**
   * In the syntax of ovs-ofctl, with table and priority, without cookie and timeouts; ports as numbers. No two of a table may have the same
   * match and priority.
   */
  readonly flows: readonly string[];
  readonly meters?: readonly FlowMeter[];
}

/** Makes the set of a part out of the ports that are plugged in; pure. Asked again when those change. */
export type FlowBuild = (ports: readonly FlowPort[]) => FlowSet;

/** What should be at a bridge: flows by their cookies, meters by their ids. */
export interface WantedFlows {
  readonly flows: ReadonlyMap<string, string>;
  readonly meters: ReadonlyMap<number, string>;
}

/** What a bridge has of ours. */
export type HeldFlows = WantedFlows;

const none: FlowSet = { flows: [] };

/** What the parts want, with what joins it; nothing when none wants anything; pure. */
export function wantedFlows(
  parts: ReadonlyMap<FlowPart, FlowBuild>,
  { ports, testPort }: { readonly ports: readonly FlowPort[]; readonly testPort: number | undefined },
): WantedFlows {
  const flows = new Map<string, string>();
  const meters = new Map<number, string>();
  for (const [part, build] of parts) {
    const set = build(ports) ?? none;
    for (const flow of set.flows) add(flows, partRanges[part].cookie, flow);
    for (const meter of set.meters ?? []) meters.set(meter.id, meterText(meter));
  }
  if (flows.size > 0) for (const flow of glueFlows(testPort)) add(flows, glueCookie, flow);
  return { flows, meters };
}

/** The cookie of a flow of a part, unless another flow of it has the same by chance; pure. */
export function cookieOf(prefix: number, flow: string, salt = 0): string {
  const hash = createHash("sha256").update(`${salt}\0${flow}`).digest("hex").slice(0, 12);
  return `0x${prefix.toString(16)}${hash}`;
}

/** Each flow has a cookie of its own, of its part and its text: by that alone it is found and deleted. */
function add(flows: Map<string, string>, prefix: number, flow: string): void {
  for (let salt = 0; ; salt += 1) {
    const cookie = cookieOf(prefix, flow, salt);
    const there = flows.get(cookie);
    if (there !== undefined && there !== flow) continue;
    flows.set(cookie, flow);
    return;
  }
}

/** How ovs-ofctl is told of a meter, and tells of it. */
export function meterText({ unit, rate, burst }: Omit<FlowMeter, "id">): string {
  return `${unit},burst,stats,band=type=drop,rate=${rate},burst_size=${burst}`;
}

/** What is to be done at a bridge. */
export interface FlowChanges {
  /** Commands of one bundle. */
  readonly commands: readonly string[];
  /** Meters that are there otherwise. */
  readonly changedMeters: ReadonlyMap<number, string>;
  readonly newMeters: ReadonlyMap<number, string>;
  /** To be deleted when no flow refers to them any more: flows go with their meter. */
  readonly oldMeters: readonly number[];
}

/** In place of the text of a flow that is there otherwise than it was made: it is made again from nothing, its counters too. */
export const altered = "";

/** How what a bridge has becomes what is wanted; pure. @param isKept flows and meters that stay though nobody wants them. */
export function flowChanges(
  held: HeldFlows,
  wanted: WantedFlows,
  isKept: (key: string | number) => boolean,
): FlowChanges {
  const isGood = (cookie: string): boolean => (held.flows.get(cookie) ?? altered) !== altered;
  const gone = [...held.flows.keys()].filter((cookie) =>
    wanted.flows.has(cookie) ? !isGood(cookie) : !isKept(cookie),
  );
  const added = [...wanted.flows].filter(([cookie]) => !isGood(cookie));
  const meters = [...wanted.meters].filter(([id, text]) => held.meters.get(id) !== text);
  return {
    commands: [
      ...gone.map((cookie) => `delete cookie=${cookie}/-1`),
      ...added.map(([cookie, flow]) => `add cookie=${cookie},${flow}`),
    ],
    changedMeters: new Map(meters.filter(([id]) => held.meters.has(id))),
    newMeters: new Map(meters.filter(([id]) => !held.meters.has(id))),
    oldMeters: [...held.meters.keys()].filter((id) => !wanted.meters.has(id) && !isKept(id)),
  };
}

/** Whether there is nothing to do; pure. */
export function isEmpty({ commands, changedMeters, newMeters, oldMeters }: FlowChanges): boolean {
  return commands.length + changedMeters.size + newMeters.size + oldMeters.length === 0;
}

/** What of one is not in the other as it is there; pure. */
export function differences(before: HeldFlows, now: HeldFlows): number {
  const differ = <K>(one: ReadonlyMap<K, string>, other: ReadonlyMap<K, string>): number =>
    [...one].filter(([key, text]) => other.get(key) !== text).length +
    [...other.keys()].filter((key) => !one.has(key)).length;
  return differ(before.flows, now.flows) + differ(before.meters, now.meters);
}
