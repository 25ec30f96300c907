import ipaddr from "ipaddr.js";
import { FilterDirection, type FilterRule } from "../../../proto/gen/zor/v1/acl.js";
import { portMasks } from "./port-masks.js";

/** Versions of IP, as ovs-ofctl calls them. */
export const families = ["ip", "ipv6"] as const;
type Family = (typeof families)[number];

/** What frames that begin a connection of a rule look like, as one flow says it. */
export interface RuleMatch {
  readonly family: Family;
  /** Protocol with its version of IP: "tcp6", "ipv6". */
  readonly protocol: string;
  /** ",nw_src=10.0.0.0/8"; empty: anybody. */
  readonly other: string;
  /** The other end, as it was said; empty: anybody. */
  readonly remote: string;
  /** "80" or "0x50/0xfffc"; empty: any. */
  readonly port: string;
}

/** What frames that begin a connection of a rule look like; pure. None: no instance is meant now. */
export function ruleMatches(
  rule: FilterRule,
  addressesOf: (expression: string) => readonly string[],
): readonly RuleMatch[] {
  const { remote, remoteInstances } = rule;
  const end = rule.direction === FilterDirection.FILTER_DIRECTION_IN ? "src" : "dst";
  const remotes = remoteInstances !== "" ? addressesOf(remoteInstances) : [remote];
  const ranges = rule.ports.flatMap(({ first, last }) => portMasks(first, last === 0 ? first : last));
  const ports = ranges.length === 0 ? [""] : ranges;
  return families.flatMap((family) => {
    const protocol = protocolMatch(rule.protocol, family);
    if (protocol === undefined) return [];
    return remotes.flatMap((each) => {
      const match = each === "" ? family : (remoteMatch(each, end) ?? "");
      if (each !== "" && !match.startsWith(`${family},`)) return [];
      return ports.map((port) => ({ family, protocol, other: match.slice(family.length), remote: each, port }));
    });
  });
}

/** "tcp,nw_src=10.0.0.0/8,tp_dst=80"; pure. */
export function matchText({ protocol, other, port }: RuleMatch): string {
  return `${protocol}${other}${port === "" ? "" : `,tp_dst=${port}`}`;
}

/** "ip,nw_src=10.0.0.0/8" of an address or a prefix; undefined: it is none; pure. */
export function remoteMatch(text: string, end: "src" | "dst"): string | undefined {
  const [address = "", bits] = text.split("/");
  if (!ipaddr.isValid(address)) return undefined;
  const suffix = bits === undefined ? "" : `/${bits}`;
  const isFour = ipaddr.parse(address).kind() === "ipv4";
  return isFour ? `ip,nw_${end}=${address}${suffix}` : `ipv6,ipv6_${end}=${address}${suffix}`;
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
