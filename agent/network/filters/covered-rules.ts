import ipaddr from "ipaddr.js";
import type { FilterRule } from "../../../proto/gen/zor/v1/acl.js";
import { type RuleMatch, ruleMatches } from "./rule-matches.js";

/** What a rule matches of one protocol and one other end. */
interface Scope extends Pick<RuleMatch, "family" | "remote"> {
  /** Number of the protocol; undefined: any. */
  readonly protocol: number | undefined;
  readonly ports: readonly Range[];
}

type Range = readonly [first: number, last: number];

const anyPort: Range = [0, 65_535];

/**
 * For each rule, the indexes of the earlier ones of its direction that together match all that it would; pure. None: it gets something, or
 * matches nothing at all now. Prefixes that are one only together are not put together.
 */
export function coveredRules(
  rules: readonly FilterRule[],
  addressesOf: (expression: string) => readonly string[],
): readonly (readonly number[])[] {
  const scopes = rules.map((rule) => scopesOf(rule, addressesOf));
  return rules.map(({ direction }, index) => {
    const earlier = [...rules.keys()].filter((each) => each < index && rules[each]?.direction === direction);
    const own = scopes[index] ?? [];
    const alone = earlier.find((each) => coveringOf(own, [each], scopes).length > 0);
    return alone === undefined ? coveringOf(own, earlier, scopes) : [alone];
  });
}

/** Which of some rules it takes to cover all of these scopes, in order; none: they do not. */
function coveringOf(
  own: readonly Scope[],
  rules: readonly number[],
  scopes: readonly (readonly Scope[])[],
): readonly number[] {
  const by = new Set<number>();
  for (const scope of own) {
    let left = scope.ports;
    for (const each of rules) {
      const before = left;
      for (const other of scopes[each] ?? []) if (holds(other, scope)) left = without(left, other.ports);
      if (left !== before) by.add(each);
      if (left.length === 0) break;
    }
    if (left.length > 0) return [];
  }
  return [...by].sort((a, b) => a - b);
}

function scopesOf(rule: FilterRule, addressesOf: (expression: string) => readonly string[]): readonly Scope[] {
  const ports = rule.ports.map(({ first, last }): Range => [first, last === 0 ? first : last]);
  const matches = ruleMatches({ ...rule, ports: [] }, addressesOf);
  return matches.map(({ family, remote, protocol }) => ({
    family,
    remote,
    protocol: protocolNumber(protocol),
    ports: ports.length === 0 ? [anyPort] : ports,
  }));
}

const numbers: Readonly<Record<string, number>> = { tcp: 6, tcp6: 6, udp: 17, udp6: 17, icmp: 1, icmp6: 58 };

function protocolNumber(protocol: string): number | undefined {
  const [, number] = /nw_proto=(\d+)$/.exec(protocol) ?? [];
  return number === undefined ? numbers[protocol] : Number(number);
}

/** Whether one scope has all of another, but perhaps for its ports. */
function holds(one: Scope, other: Scope): boolean {
  if (one.family !== other.family) return false;
  if (one.protocol !== undefined && one.protocol !== other.protocol) return false;
  return one.remote === "" || (other.remote !== "" && isWithin(other.remote, one.remote));
}

function isWithin(inner: string, outer: string): boolean {
  const [address, bits] = prefixOf(inner);
  const [network, wider] = prefixOf(outer);
  return bits >= wider && address.kind() === network.kind() && address.match(network, wider);
}

function prefixOf(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const [address = "", bits] = text.split("/");
  const parsed = ipaddr.parse(address);
  return [parsed, bits === undefined ? parsed.toByteArray().length * 8 : Number(bits)];
}

/** Ports that are left of some without others; the same array when all are. */
function without(ranges: readonly Range[], others: readonly Range[]): readonly Range[] {
  let left = ranges;
  for (const [first, last] of others) {
    if (!left.some(([from, to]) => from <= last && to >= first)) continue;
    left = left.flatMap(([from, to]): Range[] => {
      if (from > last || to < first) return [[from, to]];
      const below: Range[] = from < first ? [[from, first - 1]] : [];
      const above: Range[] = to > last ? [[last + 1, to]] : [];
      return [...below, ...above];
    });
  }
  return left;
}
