import { expect, test } from "vitest";
import { coveredRules } from "../../../../../agent/network/filters/covered-rules.js";
import { parseFilterLine } from "../../../../../lib/filter-rule.js";

const members: Readonly<Record<string, readonly string[]>> = {
  "labels.role = web": ["10.0.0.5", "2001:db8::5"],
  "labels.role = none": [],
};

/** By whom each of these rules is covered, as numbers from 1. */
function covered(...lines: string[]): string[] {
  const rules = lines.flatMap((text) => {
    const line = parseFilterLine("rule", text);
    return "rule" in line ? [line.rule] : [];
  });
  return coveredRules(rules, (text) => members[text] ?? []).map((by) => by.map((index) => index + 1).join(","));
}

test.each([
  [
    ["in allow tcp", "in drop tcp 22"],
    ["", "1"],
  ],
  [
    ["in drop tcp 22", "in allow tcp"],
    ["", ""],
  ],
  [
    ["in allow tcp 22", "in drop tcp 22"],
    ["", "1"],
  ],
  [
    ["in allow tcp 22", "out drop tcp 22"],
    ["", ""],
  ],
  [
    ["in allow tcp 22", "in drop udp 22"],
    ["", ""],
  ],
  // Together, where neither does alone.
  [
    ["in allow tcp 1-100", "in allow udp", "in drop tcp 90-200", "in drop tcp 50-150"],
    ["", "", "", "1,3"],
  ],
  [
    ["in allow tcp 1-65535", "in drop tcp"],
    ["", ""],
  ],
  // Both versions of IP, and a protocol by its number.
  [
    ["in allow icmp", "in drop 1", "in allow 1", "in drop icmp"],
    ["", "", "2", "1"],
  ],
  [
    ["in allow 6", "in drop tcp 80"],
    ["", "1"],
  ],
  [
    ["in allow", "in drop icmpv6 from 2001:db8::1"],
    ["", "1"],
  ],
  [
    ["in allow from 10.0.0.0/8", "in drop"],
    ["", ""],
  ],
  [
    ["in allow from 10.0.0.0/8", "in drop tcp from 10.1.0.0/16", "in drop from 11.0.0.1"],
    ["", "1", ""],
  ],
  [
    ["in allow from 2001:db8::/32", "in drop from 2001:db8::1", "in drop from 2001:db9::1"],
    ["", "1", ""],
  ],
  // A group by its addresses; one without any is not covered, it matches nothing.
  [
    ["in allow from 10.0.0.0/8", "in drop from instances labels.role = web"],
    ["", ""],
  ],
  [
    ["in allow from 10.0.0.0/8", "in drop icmp from instances labels.role = web"],
    ["", "1"],
  ],
  [
    ["in allow from instances labels.role = web", "in drop from 10.0.0.5"],
    ["", "1"],
  ],
  [
    ["in allow", "in drop from instances labels.role = none"],
    ["", ""],
  ],
  [
    ["in allow from instances labels.role = none", "in drop"],
    ["", ""],
  ],
])("of %j", (rules, by) => {
  expect(covered(...rules)).toEqual(by);
});
