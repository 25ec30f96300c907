import type { AddressGuard } from "../../../proto/gen/zor/v1/port.js";
import { networkOf } from "./address-guard.js";
import { portTables } from "./port-tables.js";

/** What an endpoint has by its specification. */
export interface OwnAddresses {
  readonly mac: string;
  /** Those of other interfaces in its bond; default: it is in none. */
  readonly bonded?: readonly string[];
  /** With or without prefix length. */
  readonly addresses: readonly string[];
}

const { macs: macTable, targets: targetTable, sources: sourceTable } = portTables;
const noMac = "00:00:00:00:00:00";
/** Types of ICMPv6 by which a guest that has no address yet asks for routers, for its address to be its own, and for groups. */
const fromNobody = [131, 133, 135, 143] as const;
/** Ethertypes of tags beyond those that the switch reads: what is behind them it does not see. */
const tags = ["0x8100", "0x88a8", "0x9100"] as const;

/**
 * Flows by which a port may send from its own addresses only; pure. Of frames with tags the switch sees what is behind two of them, so that
 * the same holds there.
 */
export function guardFlows(port: number, guard: AddressGuard, own: OwnAddresses): readonly string[] {
  const from = `in_port=${port}`;
  const addresses = [...new Set([...own.addresses.map(hostOf), ...guard.addresses])];
  const guarded = [...new Set([own.mac, ...(own.bonded ?? []), ...guard.macs])].flatMap((mac) => macFlows(from, mac));
  const foreign = [`table=${macTable},priority=90,${from},actions=drop`];
  return [...guarded, ...foreign, ...(addresses.length === 0 ? [] : addressFlows(from, addresses))];
}

/** A frame from this address, in which ARP and neighbour discovery tell no other. */
function macFlows(from: string, mac: string): readonly string[] {
  const pass = `actions=goto_table:${targetTable}`;
  const of = `${from},dl_src=${mac}`;
  const at = (priority: number): string => `table=${macTable},priority=${priority},${of}`;
  const [first, second, last] = [at(120), at(110), at(100)];
  return [
    `${first},arp,arp_sha=${mac},${pass}`,
    `${second},arp,actions=drop`,
    ...[mac, noMac].flatMap((told) => [
      `${first},icmp6,icmp_type=135,icmp_code=0,nd_sll=${told},${pass}`,
      `${first},icmp6,icmp_type=136,icmp_code=0,nd_tll=${told},${pass}`,
    ]),
    `${second},icmp6,icmp_type=135,actions=drop`,
    `${second},icmp6,icmp_type=136,actions=drop`,
    `${last},${pass}`,
  ];
}

/** What comes from one of these addresses, from link-local ones, or from who has none yet; frames without IP pass. */
function addressFlows(from: string, addresses: readonly string[]): readonly string[] {
  const flow = (table: number, priority: number, match: string) => (isPassed: boolean) =>
    `table=${table},priority=${priority},${from},${match},actions=${isPassed ? `goto_table:${table + 1}` : "drop"}`;
  const ipv4 = addresses.filter((address) => !address.includes(":"));
  const ipv6 = [...addresses.filter((address) => address.includes(":")), "fe80::/10"];
  const told = [
    ...ipv6.map((target) => flow(targetTable, 100, `icmp6,icmp_type=136,icmp_code=0,nd_target=${target}`)(true)),
    flow(targetTable, 90, "icmp6,icmp_type=136")(false),
  ];
  const passed = [
    ...[...ipv4, "0.0.0.0"].map((address) => `arp,arp_spa=${address}`),
    ...ipv4.map((address) => `ip,nw_src=${address}`),
    ...ipv6.map((address) => `ipv6,ipv6_src=${address}`),
    // Who has no address yet asks for one, and for groups.
    ...["udp,nw_src=0.0.0.0,tp_src=68,tp_dst=67", "ip,nw_src=0.0.0.0,nw_proto=2"],
    ...fromNobody.map((type) => `icmp6,ipv6_src=::,icmp_type=${type}`),
  ];
  const dropped = ["arp", "ip", "ipv6", ...tags.map((tag) => `dl_type=${tag}`)];
  return [
    ...told,
    ...passed.map((match) => flow(sourceTable, 100, match)(true)),
    ...dropped.map((match) => flow(sourceTable, 90, match)(false)),
  ];
}

/** "10.0.0.1" of "10.0.0.1/24". */
function hostOf(address: string): string {
  const host = address.split("/")[0] ?? "";
  return networkOf(host) ?? host;
}
