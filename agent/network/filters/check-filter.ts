import ipaddr from "ipaddr.js";
import { type FieldViolation, messageOf } from "../../../lib/errors.js";
import { parseFilter } from "../../../lib/list/filter.js";
import { quote } from "../../../lib/names.js";
import { FilterAction, FilterDirection, type FilterRule, type PortFilter } from "../../../proto/gen/zor/v1/acl.js";

const maxRules = 64;
const maxRanges = 16;
const maxExpression = 500;
const protocols: ReadonlySet<string> = new Set(["", "tcp", "udp", "icmp", "icmpv6"]);
/** What instances are told by: that is followed as it changes. */
const memberFields: ReadonlySet<string> = new Set(["name", "labels"]);

/** What is wrong with the filter of a NIC; pure. @param field its proto path. */
export function checkFilter(field: string, filter: PortFilter): FieldViolation[] {
  const { defaultIn, defaultOut, rules } = filter;
  const isAction = (action: FilterAction): boolean => FilterAction[action] !== undefined && action >= 0;
  return [
    ...(isAction(defaultIn) ? [] : [{ field: `${field}.default_in`, description: "must be ALLOW or DROP" }]),
    ...(isAction(defaultOut) ? [] : [{ field: `${field}.default_out`, description: "must be ALLOW or DROP" }]),
    ...(rules.length > maxRules
      ? [{ field: `${field}.rules`, description: `${rules.length} rules are more than ${maxRules}` }]
      : rules.flatMap((rule, index) => checkRule(`${field}.rules[${index}]`, rule))),
  ];
}

function checkRule(field: string, rule: FilterRule): FieldViolation[] {
  const { direction, action, protocol, ports, remote, remoteInstances } = rule;
  const violations: FieldViolation[] = [];
  const check = (name: string, good: boolean, description: string): void => {
    if (!good) violations.push({ field: `${field}.${name}`, description });
  };
  const { FILTER_DIRECTION_IN: into, FILTER_DIRECTION_OUT: out } = FilterDirection;
  check("direction", direction === into || direction === out, "must be IN or OUT");
  const { FILTER_ACTION_ALLOW: allow, FILTER_ACTION_DROP: drop } = FilterAction;
  check("action", action === allow || action === drop, "must be ALLOW or DROP");
  const isNumber = /^(?:0|[1-9]\d{0,2})$/.test(protocol) && Number(protocol) <= 255;
  const form = `${quote(protocol)} is not tcp, udp, icmp, icmpv6 or the number of an IP protocol`;
  check("protocol", protocols.has(protocol) || isNumber, form);
  const hasPorts = protocol === "tcp" || protocol === "udp";
  check("ports", ports.length === 0 || hasPorts, "are for tcp and udp only");
  check("ports", ports.length <= maxRanges, `${ports.length} are more than ${maxRanges}`);
  const bad = ports.find(({ first, last }) => !isRange(first, last));
  if (bad !== undefined)
    check("ports", false, `${bad.first}-${bad.last} is not from 1 to 65535, or ends before it begins`);
  check("remote", remote === "" || isPrefix(remote), `${quote(remote)} is not a prefix such as 10.0.0.0/8`);
  check("remote_instances", remote === "" || remoteInstances === "", "does not go with remote");
  const fault = faultOfExpression(remoteInstances);
  check("remote_instances", fault === "", fault);
  return violations;
}

function isRange(first: number, last: number): boolean {
  return first >= 1 && first <= 65_535 && (last === 0 || (last >= first && last <= 65_535));
}

/** An address, or a prefix without bits behind its length. */
function isPrefix(text: string): boolean {
  const [address = "", bits, more] = text.split("/");
  if (more !== undefined) return false;
  const isFour = ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!isFour && !(address.includes(":") && !address.includes("%") && ipaddr.IPv6.isValid(address))) return false;
  if (bits === undefined) return true;
  if (!/^(?:0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > (isFour ? 32 : 128)) return false;
  const whole = ipaddr.parse(address).toByteArray();
  return whole.every((byte, index) => {
    const kept = Math.min(8, Math.max(0, Number(bits) - index * 8));
    return (byte & (0xff >> kept)) === 0;
  });
}

/** What is wrong with an expression by which instances are told; empty: nothing. */
function faultOfExpression(text: string): string {
  if (text === "") return "";
  if (text.length > maxExpression) return `has more than ${maxExpression} characters`;
  if (!/^[ -~]*$/.test(text)) return "may have printable ASCII characters only";
  try {
    const { fields } = parseFilter(text, "zor.v1.Instance");
    const other = [...fields].find((name) => !memberFields.has(name));
    return other === undefined ? "" : `goes by name and labels, not by ${other}`;
  } catch (error) {
    return messageOf(error).replace(/^filter: /, "");
  }
}
