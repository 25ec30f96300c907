import ipaddr from "ipaddr.js";

/** An IPv4 subnet. */
export interface Subnet {
  /** "10.1.0.0/24" */
  readonly cidr: string;
  readonly prefix: number;
  /** "255.255.255.0" */
  readonly mask: string;
  readonly gateway: string;
  /** The first and the last address that guests may have. */
  readonly first: string;
  readonly last: string;
}

/** An IPv6 subnet of 64 bits. */
export interface Subnet6 {
  readonly cidr: string;
  readonly gateway: string;
}

/** What no subnet may be a part of, or have as one: addresses with a meaning of their own. */
const reserved = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];
/** Where the program that goes out for the guests is in the nat's own namespace: a network for examples, which nobody has (RFC 5737). */
export const outside = {
  cidr: "198.51.100.0/24",
  gateway: "198.51.100.2",
  resolver: "198.51.100.3",
  own: "198.51.100.100",
  cidr6: "fd00::/64",
  gateway6: "fd00::2",
  own6: "fd00::100",
} as const;

/** Why a text is no IPv4 subnet that a nat can have; undefined: it is one. Pure. */
export function subnetFault(text: string): string | undefined {
  const parsed = parse(text);
  if (parsed?.kind() !== "ipv4") return 'is not an IPv4 subnet such as "10.1.0.0/24"';
  const [, prefix] = ipaddr.parseCIDR(text);
  if (prefix < 16 || prefix > 29) return `/${prefix} is not from /16 to /29`;
  const network = ipaddr.IPv4.networkAddressFromCIDR(text).toString();
  if (`${network}/${prefix}` !== text) return `is not the beginning of a subnet: write ${network}/${prefix}`;
  const taken = [...reserved, outside.cidr].find((other) => overlaps(other, text));
  return taken === undefined ? undefined : `has addresses of ${taken}, which have a meaning of their own`;
}

/** Why a text is no IPv6 subnet that a nat can have; undefined: it is one. Pure. */
export function subnet6Fault(text: string): string | undefined {
  const parsed = parse(text);
  if (parsed?.kind() !== "ipv6") return 'is not an IPv6 subnet such as "fd12:3456::/64"';
  if (!text.endsWith("/64")) return "is not a /64";
  if (!overlaps("fc00::/7", text)) return "is not in fc00::/7, whose addresses are for networks of one's own";
  const network = ipaddr.IPv6.networkAddressFromCIDR(text).toString();
  if (network !== ipaddr.parseCIDR(text)[0].toString()) return `is not the beginning of a subnet: write ${network}/64`;
  return overlaps(outside.cidr6, text) ? `${outside.cidr6} is taken by the nat itself` : undefined;
}

/** @param cidr one that {@link subnetFault} has nothing against. */
export function toSubnet(cidr: string): Subnet {
  const [address, prefix] = ipaddr.parseCIDR(cidr);
  const base = toNumber(address.toString());
  const [first, last] = [base + 2, base + 2 ** (32 - prefix) - 2];
  const mask = ipaddr.IPv4.subnetMaskFromPrefixLength(prefix).toString();
  return { cidr, prefix, mask, gateway: toAddress(base + 1), first: toAddress(first), last: toAddress(last) };
}

/** @param cidr one that {@link subnet6Fault} has nothing against. */
export function toSubnet6(cidr: string): Subnet6 {
  const [address] = ipaddr.parseCIDR(cidr);
  const bytes = address.toByteArray();
  bytes[15] = 1;
  return { cidr: `${address.toString()}/64`, gateway: ipaddr.fromByteArray(bytes).toString() };
}

/** The IPv6 subnet that goes with an IPv4 subnet when nobody says another: always the same, and another for each. */
export function defaultSubnet6(cidr: string): string {
  const [address] = ipaddr.parseCIDR(cidr);
  // "zor" after the prefix of local addresses (RFC 4193), then the IPv4 subnet.
  const bytes = [0xfd, 0x7a, 0x6f, 0x72, ...address.toByteArray(), ...Array<number>(8).fill(0)];
  return `${ipaddr.fromByteArray(bytes).toString()}/64`;
}

/** Whether an address is one of a subnet. */
export function isIn(cidr: string, address: string): boolean {
  return ipaddr.isValid(address) && overlaps(cidr, address);
}

/** Whether two subnets, or addresses, have one in common. Both must be well formed. */
export function overlaps(left: string, right: string): boolean {
  const [[a, aBits], [b, bBits]] = [toCidr(left), toCidr(right)];
  return a.kind() === b.kind() && a.match(b, Math.min(aBits, bBits));
}

/** An IPv4 address as a number: they can be compared. */
export function toNumber(address: string): number {
  return Buffer.from(address.split(".").map(Number)).readUInt32BE(0);
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join(".");
}

function toCidr(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (text.includes("/")) return ipaddr.parseCIDR(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

/** The address of what looks like a subnet; only the usual forms, since tools read it too. */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!/^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]+)\/\d{1,3}$/.test(text) || !ipaddr.isValidCIDR(text)) return undefined;
  const address = text.slice(0, text.indexOf("/"));
  if (!address.includes(":") && !ipaddr.IPv4.isValidFourPartDecimal(address)) return undefined;
  return ipaddr.parse(address);
}
