import { FilterAction, FilterDirection, type PortFilter } from "../../../proto/gen/zor/v1/acl.js";
import type { FlowPort } from "../flows/flow-set.js";
import { families, matchText, remoteMatch, ruleMatches } from "./rule-matches.js";

/** A NIC with a filter, in a lan. */
export interface FilteredNic {
  /** Resource name of the NIC. */
  readonly endpoint: string;
  readonly mac: string;
  readonly filter: PortFilter;
  /** IP addresses that it is known to have. */
  readonly addresses: readonly string[];
}

/** What a lan's filters are made of. */
export interface LanFilters {
  readonly nics: readonly FilteredNic[];
  /** Zone of connection tracking, 1 to 65535. */
  readonly zone: number;
  /** Addresses of the instances of the host for which an expression holds. */
  readonly addressesOf: (expression: string) => readonly string[];
}

/** Tables of what NICs send and of what they get, and what comes after; see flows/pipeline.ts. */
const tables = { fromNics: 10, toNics: 20, lan: 30 } as const;
/** Rules stand between; the first has the highest. */
const priority = { always: 60_000, track: 59_000, invalid: 58_000, known: 57_000, rules: 50_000, byDefault: 100 };
/** Behind all that is towards filtered NICs: a connection from one of them to anybody. */
const begunPriority = 50;
/** In frames to many, IP to the one. */
const oneInManyPriority = 60;

/** Neighbour discovery (RFC 4861), and DHCP in both versions. */
const neighbours = [133, 134, 135, 136, 137].map((type) => `icmp6,icmp_type=${type}`);
const alwaysPassing = {
  out: ["arp", ...neighbours, "udp,tp_src=68,tp_dst=67", "udp6,tp_src=546,tp_dst=547"],
  in: ["arp", ...neighbours, "udp,tp_src=67,tp_dst=68", "udp6,tp_src=547,tp_dst=546"],
} as const;

/** Which part of a filter a flow is of; "track" sees all IP before it is judged, "begun" what goes to NICs without a filter. */
export type FlowRole = "always" | "track" | "invalid" | "known" | "rule" | "default" | "oneInMany" | "begun";

/** Whose a flow is. */
export interface FlowOwner {
  readonly endpoint: string;
  readonly direction: FilterDirection;
  readonly role: FlowRole;
  /** Index of its rule; of other roles undefined. */
  readonly rule?: number;
}

/** A flow, and whose it is: the first of those that have one with its match, whose action it has. */
export interface OwnedFlow {
  readonly flow: string;
  readonly owners: readonly FlowOwner[];
}

/**
 * The flows of a lan's filters, in tables 10 and 20; pure. A connection is remembered when both the filter of the NIC it comes from and that
 * of the NIC it goes to have let its first frame through, so that neither lets the other's past. @param numberOf port by endpoint.
 */
export function compileFilters(filters: LanFilters, numberOf: ReadonlyMap<string, number>): readonly OwnedFlow[] {
  // No two flows may have the same match: of two NICs with the same address the first holds.
  const flows = new Map<string, { readonly flow: string; readonly owners: FlowOwner[] }>();
  const add: Add = (owner, { table, level, match, action }) => {
    const key = `table=${table},priority=${level},${match}`;
    const there = flows.get(key);
    if (there === undefined) flows.set(key, { flow: `${key},actions=${action}`, owners: [owner] });
    else if (!there.owners.some((each) => isSame(each, owner))) there.owners.push(owner);
  };
  for (const nic of filters.nics) {
    const number = numberOf.get(nic.endpoint);
    if (number !== undefined) addSender(add, nic, number, filters);
    addReceiver(add, nic, filters);
  }
  return [...flows.values()];
}

function isSame(one: FlowOwner, other: FlowOwner): boolean {
  const { endpoint, direction, role, rule } = other;
  return one.endpoint === endpoint && one.direction === direction && one.role === role && one.rule === rule;
}

interface Flow {
  readonly table: number;
  readonly level: number;
  readonly match: string;
  readonly action: string;
}

/** Numbers of ports by their endpoints; pure. */
export function numbersOf(ports: readonly FlowPort[]): ReadonlyMap<string, number> {
  return new Map(ports.map(({ endpoint, number }) => [endpoint, number]));
}

type Add = (owner: FlowOwner, flow: Flow) => void;

function addSender(add: Add, { endpoint, filter }: FilteredNic, number: number, filters: LanFilters): void {
  const { zone } = filters;
  const next = `goto_table:${tables.toNics}`;
  const from = `in_port=${number}`;
  const way = { table: tables.fromNics, base: from, zone, pass: next, begin: next };
  const direction = FilterDirection.FILTER_DIRECTION_OUT;
  addWay(add, way, { endpoint, filter, direction, ...filters });
  for (const family of families) {
    const action = `ct(commit,zone=${zone}),goto_table:${tables.lan}`;
    const match = `${from},ct_state=+trk+new,${family}`;
    add({ endpoint, direction, role: "begun" }, { table: tables.toNics, level: begunPriority, match, action });
  }
}

function addReceiver(add: Add, { endpoint, filter, mac, addresses }: FilteredNic, filters: LanFilters): void {
  const { zone } = filters;
  const pass = `goto_table:${tables.lan}`;
  const way = { table: tables.toNics, base: `dl_dst=${mac}`, zone, pass, begin: `ct(commit,zone=${zone}),${pass}` };
  const direction = FilterDirection.FILTER_DIRECTION_IN;
  addWay(add, way, { endpoint, filter, direction, ...filters });
  // Guests take such frames for theirs: they would get round the filter.
  for (const address of addresses) {
    const match = remoteMatch(address, "dst");
    const many = "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00";
    if (match === undefined) continue;
    const flow = { table: tables.toNics, level: oneInManyPriority, match: `${many},${match}`, action: "drop" };
    add({ endpoint, direction, role: "oneInMany" }, flow);
  }
}

interface Way {
  readonly table: number;
  /** What all its frames have in common. */
  readonly base: string;
  readonly zone: number;
  /** What is done with frames that may pass, and with those that begin a connection. */
  readonly pass: string;
  readonly begin: string;
}

interface Said extends Pick<LanFilters, "addressesOf"> {
  readonly endpoint: string;
  readonly filter: PortFilter;
  readonly direction: FilterDirection;
}

function addWay(add: Add, way: Way, { endpoint, filter, direction, addressesOf }: Said): void {
  const { table, base, zone, pass, begin } = way;
  const isIn = direction === FilterDirection.FILTER_DIRECTION_IN;
  const of = (role: FlowRole, level: number, rule?: number) => (match: string, action: string) =>
    add({ endpoint, direction, role, ...(rule === undefined ? {} : { rule }) }, { table, level, match, action });
  const always = of("always", priority.always);
  const track = of("track", priority.track);
  const invalid = of("invalid", priority.invalid);
  const known = of("known", priority.known);
  for (const match of alwaysPassing[isIn ? "in" : "out"]) always(`${base},${match}`, pass);
  for (const family of families) {
    track(`${base},ct_state=-trk,${family}`, `ct(zone=${zone},table=${table})`);
    invalid(`${base},ct_state=+trk+inv,${family}`, "drop");
    for (const state of ["est", "rel"]) known(`${base},ct_state=+trk+${state},${family}`, pass);
  }
  for (const [index, rule] of filter.rules.entries()) {
    if (rule.direction !== direction) continue;
    const action = rule.action === FilterAction.FILTER_ACTION_ALLOW ? begin : "drop";
    const decide = of("rule", priority.rules - index, index);
    for (const match of ruleMatches(rule, addressesOf)) decide(`${base},ct_state=+trk+new,${matchText(match)}`, action);
  }
  const isDropped = (isIn ? filter.defaultIn : filter.defaultOut) === FilterAction.FILTER_ACTION_DROP;
  const begun = of("default", priority.byDefault + 1);
  const rest = of("default", priority.byDefault);
  if (!isDropped) for (const family of families) begun(`${base},ct_state=+trk+new,${family}`, begin);
  rest(base, isDropped ? "drop" : pass);
}
