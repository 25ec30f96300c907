import { createHash } from "node:crypto";
import { insideDevice, type NatConfig, outsideDevice, type PortForward } from "./nat-config.js";
import { outside } from "./subnet.js";

/** Table of nftables in a nat's own namespace. */
export const table = "inet zor";

/**
 * What guests never reach, whatever the host has: the host itself by addresses that mean "here", its link, and the services that clouds
 * give their machines at well-known addresses, which tell secrets; in the forms that address them by way of IPv6, too.
 */
const neverReached = {
  ipv4: [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/3",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    outside.cidr,
  ],
  ipv6: [
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/104",
    "64:ff9b::7f00:0/104",
    "64:ff9b::a9fe:0/112",
    "fe80::/10",
    "ff00::/8",
    "fd00:ec2::254",
    "fd20:ce::254",
    outside.cidr6,
  ],
} as const;

/** A forward, with the port by which it comes into the nat's namespace. */
export interface NumberedForward extends PortForward {
  readonly innerPort: number;
}

/** Gives each forward a port in the namespace that depends on no other but those that would have the same. Pure. */
export function numberForwards(forwards: readonly PortForward[]): readonly NumberedForward[] {
  const taken = new Set<number>();
  return [...forwards].sort(byKey).map((forward) => {
    const hash = createHash("sha256").update(keyOf(forward)).digest().readUInt32BE(0);
    let innerPort = firstInner + (hash % innerPorts);
    while (taken.has(innerPort)) innerPort = innerPort === lastInner ? firstInner : innerPort + 1;
    taken.add(innerPort);
    return { ...forward, innerPort };
  });
}

const [firstInner, lastInner] = [1024, 65_535];
const innerPorts = lastInner - firstInner + 1;

function keyOf({ protocol, listenAddress, listenPort }: PortForward): string {
  return `${protocol} ${listenAddress} ${listenPort}`;
}

function byKey(left: PortForward, right: PortForward): number {
  return keyOf(left) < keyOf(right) ? -1 : 1;
}

/**
 * The rules of a nat's namespace as nft(8) reads them: one transaction that replaces what is there; connections go on. Pure.
 * @param denied addresses and subnets that guests do not reach, beside those that nobody may reach.
 */
export function natRules(
  { subnet, subnet6, forwards, boot }: NatConfig,
  denied: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] },
): string {
  const ports = ["53", "67", "547", ...(boot === undefined ? [] : ["69"])].join(", ");
  return `table ${table} {}
delete table ${table}
table ${table} {
  set denied4 { type ipv4_addr; flags interval; auto-merge; elements = { ${[...neverReached.ipv4, ...denied.ipv4].join(", ")} } }
  set denied6 { type ipv6_addr; flags interval; auto-merge; elements = { ${[...neverReached.ipv6, ...denied.ipv6].join(", ")} } }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    iifname "${insideDevice}" meta l4proto { icmp, ipv6-icmp } accept
    iifname "${outsideDevice}" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname "${insideDevice}" udp dport { ${ports} } accept
    iifname "${insideDevice}" tcp dport 53 accept
    iifname "${insideDevice}" reject with icmpx admin-prohibited
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "${insideDevice}" ip daddr @denied4 ${refused}
    iifname "${insideDevice}" ip6 daddr @denied6 ${refused}
    ct state invalid drop
    ct state established,related accept
    iifname "${insideDevice}" oifname "${outsideDevice}" ip saddr ${subnet.cidr} accept
${subnet6 === undefined ? "" : `    iifname "${insideDevice}" oifname "${outsideDevice}" ip6 saddr ${subnet6.cidr} accept\n`}\
    iifname "${outsideDevice}" oifname "${insideDevice}" ct status dnat accept
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
${numberForwards(forwards).map(toRule).join("")}\
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "${outsideDevice}" masquerade
  }
}
`;
}

/** A connection is refused at once: one that is dropped would hang. Replies to who came in by a forward are no connections out. */
const refused = "ct direction original reject with icmpx admin-prohibited";

function toRule({ protocol, innerPort, address, port }: NumberedForward): string {
  return `    iifname "${outsideDevice}" ${protocol} dport ${innerPort} dnat ip to ${address}:${port}\n`;
}
