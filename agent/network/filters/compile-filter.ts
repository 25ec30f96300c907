import ipaddr from "ipaddr.js";
import { FilterAction, FilterDirection, type FilterRule, type PortFilter } from "../../../proto/gen/zor/v1/acl.js";
import { portMasks } from "./port-masks.js";

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
const always = {
  out: ["arp", ...neighbours, "udp,tp_src=68,tp_dst=67", "udp6,tp_src=546,tp_dst=547"],
  in: ["arp", ...neighbours, "udp,tp_src=67,tp_dst=68", "udp6,tp_src=547,tp_dst=546"],
} as const;
const families = ["ip", "ipv6"] as const;
type Family = (typeof families)[number];

/**
 * The flows of a lan's filters, in tables 10 and 20; pure. A connection is remembered when both the filter of the NIC it comes from and that
 * of the NIC it goes to have let its first frame through, so that neither lets the other's past. @param numberOf port by endpoint.
 */
export function compileFilters(filters: LanFilters, numberOf: ReadonlyMap<string, number>): readonly string[] {
  // No two flows may have the same match: of two rules that say the same the first holds.
  const flows = new Map<string, string>();
  const add = (table: number, level: number, match: string, action: string): void => {
    const key = `table=${table},priority=${level},${match}`;
    if (!flows.has(key)) flows.set(key, `${key},actions=${action}`);
  };
  for (const nic of filters.nics) {
    const number = numberOf.get(nic.endpoint);
    if (number !== undefined) addSender(add, nic, number, filters);
    addReceiver(add, nic, filters);
  }
  return [...flows.values()];
}

type Add = (table: number, level: number, match: string, action: string) => void;

function addSender(add: Add, { filter }: FilteredNic, number: number, filters: LanFilters): void {
  const { zone } = filters;
  const next = `goto_table:${tables.toNics}`;
  const from = `in_port=${number}`;
  const way = { table: tables.fromNics, base: from, zone, pass: next, begin: next };
  addWay(add, way, { filter, direction: FilterDirection.FILTER_DIRECTION_OUT, ...filters });
  for (const family of families) {
    const begun = `ct(commit,zone=${zone}),goto_table:${tables.lan}`;
    add(tables.toNics, begunPriority, `${from},ct_state=+trk+new,${family}`, begun);
  }
}

function addReceiver(add: Add, { filter, mac, addresses }: FilteredNic, filters: LanFilters): void {
  const { zone } = filters;
  const pass = `goto_table:${tables.lan}`;
  const way = { table: tables.toNics, base: `dl_dst=${mac}`, zone, pass, begin: `ct(commit,zone=${zone}),${pass}` };
  addWay(add, way, { filter, direction: FilterDirection.FILTER_DIRECTION_IN, ...filters });
  // Guests take such frames for theirs: they would get round the filter.
  for (const address of addresses) {
    const match = remoteMatch(address, "dst");
    const many = "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00";
    if (match !== undefined) add(tables.toNics, oneInManyPriority, `${many},${match}`, "drop");
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
  readonly filter: PortFilter;
  readonly direction: FilterDirection;
}

function addWay(add: Add, { table, base, zone, pass, begin }: Way, { filter, direction, addressesOf }: Said): void {
  const isIn = direction === FilterDirection.FILTER_DIRECTION_IN;
  for (const match of always[isIn ? "in" : "out"]) add(table, priority.always, `${base},${match}`, pass);
  for (const family of families) {
    add(table, priority.track, `${base},ct_state=-trk,${family}`, `ct(zone=${zone},table=${table})`);
    add(table, priority.invalid, `${base},ct_state=+trk+inv,${family}`, "drop");
    for (const state of ["est", "rel"]) add(table, priority.known, `${base},ct_state=+trk+${state},${family}`, pass);
  }
  for (const [index, rule] of filter.rules.entries()) {
    if (rule.direction !== direction) continue;
    const action = rule.action === FilterAction.FILTER_ACTION_ALLOW ? begin : "drop";
    for (const match of ruleMatches(rule, addressesOf))
      add(table, priority.rules - index, `${base},ct_state=+trk+new,${match}`, action);
  }
  const isDropped = (isIn ? filter.defaultIn : filter.defaultOut) === FilterAction.FILTER_ACTION_DROP;
  if (isDropped) {
    add(table, priority.byDefault, base, "drop");
    return;
  }
  for (const family of families) add(table, priority.byDefault + 1, `${base},ct_state=+trk+new,${family}`, begin);
  add(table, priority.byDefault, base, pass);
}

/** What frames that begin a connection of a rule look like. None: no instance is meant now. */
function ruleMatches(rule: FilterRule, addressesOf: LanFilters["addressesOf"]): readonly string[] {
  const { remote, remoteInstances } = rule;
  const isIn = rule.direction === FilterDirection.FILTER_DIRECTION_IN;
  const remotes: readonly string[] | undefined =
    remoteInstances !== "" ? addressesOf(remoteInstances) : remote !== "" ? [remote] : undefined;
  const others = remotes?.flatMap((one) => remoteMatch(one, isIn ? "src" : "dst") ?? []);
  const ports = rule.ports.flatMap(({ first, last }) => portMasks(first, last === 0 ? first : last));
  return families.flatMap((family) => {
    const protocol = protocolMatch(rule.protocol, family);
    if (protocol === undefined) return [];
    const mine = others?.filter((match) => match.startsWith(`${family},`)).map((match) => match.slice(family.length));
    return (mine ?? [""]).flatMap((other) =>
      ports.length === 0 ? [`${protocol}${other}`] : ports.map((port) => `${protocol}${other},tp_dst=${port}`),
    );
  });
}

/** A protocol of one version of IP; undefined: it is not of that. */
function protocolMatch(protocol: string, family: Family): string | undefined {
  switch (protocol) {
    case "":
      return family;
    case "tcp":
    case "udp":
      return family === "ip" ? protocol : `${protocol}6`;
    case "icmp":
      return family === "ip" ? "icmp" : undefined;
    case "icmpv6":
      return family === "ip" ? undefined : "icmp6";
    default:
      return `${family},nw_proto=${protocol}`;
  }
}

/** "ip,nw_src=10.0.0.0/8" of an address or a prefix; undefined: it is none. */
function remoteMatch(text: string, end: "src" | "dst"): string | undefined {
  const [address = "", bits] = text.split("/");
  if (!ipaddr.isValid(address)) return undefined;
  const suffix = bits === undefined ? "" : `/${bits}`;
  const isFour = ipaddr.parse(address).kind() === "ipv4";
  return isFour ? `ip,nw_${end}=${address}${suffix}` : `ipv6,ipv6_${end}=${address}${suffix}`;
}
