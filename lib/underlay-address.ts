import { isIPv4, isIPv6, SocketAddress } from "node:net";
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Subnet = readonly [network: string, prefix: number];

/**
 * What the IANA registries of special-purpose addresses (as ipaddr.js keeps them) say of an address, in words. A range that is named
 * neither here nor below as usable is refused as reserved, so that one which is registered some day is not dialled by mistake.
 */
const refusals: Readonly<Record<string, string>> = {
  loopback: "a loopback address, which leads back to the host itself",
  linkLocal: "a link-local address",
  multicast: "a multicast address",
  broadcast: "the broadcast address, which is reserved",
  unspecified: "an unspecified address",
  // Forms that lead to IPv4 addresses by way of translators and tunnels.
  rfc6145: "a translated address, which leads to another one",
  rfc6052: "a translated address, which leads to another one",
  "6to4": "a translated address, which leads to another one",
  teredo: "a translated address, which leads to another one",
};

/** Ranges in which hosts have addresses. */
const usable = new Set(["unicast", "private", "carrierGradeNat", "uniqueLocal", "benchmarking"]);

/** Parts of reserved ranges that labs use between themselves: documentation and benchmarking (RFC 5737, 2544, 3849, 9637). */
const labs: readonly Subnet[] = [
  ["192.0.2.0", 24],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["198.18.0.0", 15],
  ["2001:db8::", 32],
  ["3fff::", 20],
];

/** What IANA has given out of IPv6 for unicast; the rest of it is reserved (RFC 4291). */
const globalUnicast: Subnet = ["2000::", 3];

/** Where clouds give machines their secrets: Amazon, Google, Azure, Alibaba, Oracle, Akamai, Scaleway, Equinix. */
const metadata: readonly Subnet[] = [
  ["169.254.169.254", 32],
  ["169.254.170.2", 32],
  ["168.63.129.16", 32],
  ["100.100.100.200", 32],
  ["192.0.0.192", 32],
  ["192.80.8.124", 32],
  ["fd00:ec2::", 32],
  ["fd20:ce::", 64],
  ["fd00:c1::a9fe:a9fe", 128],
  ["fd00:a9fe:a9fe::", 64],
  ["fd00:42::42", 128],
];

/**
 * Why an IP cannot be one at which hosts reach each other: completes "10.0.0.1 is ...". Undefined when it can. An IPv4-mapped IPv6
 * address counts as the IPv4 address it means. Text that is no IP literal, or one with a zone, is refused too: names are never
 * resolved, so nobody can point them elsewhere later. @param options.allowLoopback for tests with all hosts in one place.
 */
export function refusalOfUnderlayIp(
  ip: string,
  { allowLoopback = false }: { readonly allowLoopback?: boolean } = {},
): string | undefined {
  const address = parse(ip);
  if (address === undefined) return "not an IP address";
  if (isIn(address, metadata)) return "the address of a cloud's metadata service";
  const range: string = address.range();
  if (range === "loopback" && allowLoopback) return undefined;
  if (address instanceof ipaddr.IPv6 && embedsIpv4(address)) return refusals["6to4"];
  if (isIn(address, labs)) return undefined;
  const isUnicast = address instanceof ipaddr.IPv4 || range !== "unicast" || isIn(address, [globalUnicast]);
  if (usable.has(range) && isUnicast) return undefined;
  return refusals[range] ?? "a reserved address";
}

function parse(ip: string): Address | undefined {
  if (!isIPv4(ip) && (!isIPv6(ip) || ip.includes("%"))) return undefined;
  return ipaddr.process(isIPv4(ip) ? ip : plainForm(ip));
}

/** An IPv6 address without an IPv4 address written into it. */
function plainForm(ip: string): string {
  return ip.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

function isIn(address: Address, subnets: readonly Subnet[]): boolean {
  return subnets.some(([network, prefix]) => {
    const other = ipaddr.parse(network);
    return other.kind() === address.kind() && address.match(other, prefix);
  });
}

/** The compatible form (::10.0.0.1) and ISATAP (any prefix, then 5efe and the IPv4 address, RFC 5214). */
function embedsIpv4({ parts }: ipaddr.IPv6): boolean {
  const compatible = parts.slice(0, 6).every((part) => part === 0) && (parts[6] !== 0 || (parts[7] ?? 0) > 1);
  return compatible || (((parts[4] ?? 0) & 0xfdff) === 0 && parts[5] === 0x5efe);
}

/** One text for all forms of an IP literal: IPv6 compressed, an IPv4-mapped address as the IPv4 address it means. */
export function canonicalIp(ip: string): string {
  const { address } = new SocketAddress({ address: ip, family: isIPv4(ip) ? "ipv4" : "ipv6" });
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, "");
}
