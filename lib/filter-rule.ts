import {
  FilterAction,
  FilterDirection,
  type FilterPorts,
  FilterRule,
  type PortFilter,
} from "../proto/gen/zor/v1/acl.js";
import { invalidArgument } from "./errors.js";
import { quote } from "./names.js";

/** The form of a rule, for errors. */
const filterRuleForm =
  '"in|out allow|drop [PROTOCOL [PORTS]] [from|to ADDRESS[/BITS] | from|to instances EXPR]", or "in|out default allow|drop"';

const directions: Readonly<Record<string, FilterDirection>> = {
  in: FilterDirection.FILTER_DIRECTION_IN,
  out: FilterDirection.FILTER_DIRECTION_OUT,
};
const actions: Readonly<Record<string, FilterAction>> = {
  allow: FilterAction.FILTER_ACTION_ALLOW,
  drop: FilterAction.FILTER_ACTION_DROP,
};
const form =
  /^(in|out)\s+(?:default\s+(allow|drop)|(allow|drop)(?:\s+(?!from\s|to\s)(\S+)(?:\s+(?!from\s|to\s)(\S+))?)?(?:\s+(from|to)\s+(?:instances\s+(.+)|(\S+)))?)$/;

/** A line of a filter. */
export type FilterLine =
  | { readonly direction: FilterDirection; readonly byDefault: FilterAction }
  | { readonly rule: FilterRule };

/** Reads "in allow tcp 22,80 from 10.0.0.0/8" or "in default drop". @throws {ZorError} INVALID_ARGUMENT with the form. */
export function parseFilterLine(where: string, text: string): FilterLine {
  const match = form.exec(text.trim());
  const [, way = "", byDefault, action, protocol = "", ports, preposition, instances = "", remote = ""] = match ?? [];
  const direction = directions[way];
  const isAsSaid = preposition === undefined || preposition === (way === "in" ? "from" : "to");
  if (match === null || direction === undefined || !isAsSaid)
    throw invalidArgument(where, `${quote(text)} is not a rule; its form is ${filterRuleForm}`);
  if (byDefault !== undefined)
    return { direction, byDefault: actions[byDefault] ?? FilterAction.FILTER_ACTION_UNSPECIFIED };
  return {
    rule: FilterRule.fromPartial({
      direction,
      action: actions[action ?? ""] ?? FilterAction.FILTER_ACTION_UNSPECIFIED,
      protocol: protocol === "any" ? "" : protocol,
      ports: ports === undefined ? [] : parsePorts(where, ports),
      remote: remote === "any" ? "" : remote,
      remoteInstances: instances.trim(),
    }),
  };
}

function parsePorts(where: string, text: string): FilterPorts[] {
  return text.split(",").map((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) throw invalidArgument(where, `${quote(text)} are no ports such as 22,80 or 8000-8099`);
    return { first: Number(match[1]), last: match[2] === undefined ? 0 : Number(match[2]) };
  });
}

/** A filter as lines, which say all of it. */
export function filterLines(filter: PortFilter): readonly string[] {
  const drops = (action: FilterAction): boolean => action === FilterAction.FILTER_ACTION_DROP;
  return [
    ...(drops(filter.defaultIn) ? ["in default drop"] : []),
    ...(drops(filter.defaultOut) ? ["out default drop"] : []),
    ...filter.rules.map(filterRuleText),
  ];
}

/** A rule as it is written. */
export function filterRuleText(rule: FilterRule): string {
  const isIn = rule.direction === FilterDirection.FILTER_DIRECTION_IN;
  const { protocol, ports, remote, remoteInstances } = rule;
  const ranges = ports.map(({ first, last }) => (last === 0 || last === first ? `${first}` : `${first}-${last}`));
  const other = remoteInstances === "" ? remote : `instances ${remoteInstances}`;
  return [
    isIn ? "in" : "out",
    rule.action === FilterAction.FILTER_ACTION_DROP ? "drop" : "allow",
    ...(protocol === "" ? [] : [protocol]),
    ...(ranges.length === 0 ? [] : [ranges.join(",")]),
    ...(other === "" ? [] : [isIn ? "from" : "to", other]),
  ].join(" ");
}
