import { expect, test } from "vitest";
import { checkFilter } from "../../../../../agent/network/filters/check-filter.js";
import { parseFilterLine } from "../../../../../lib/filter-rule.js";
import { type FilterAction, FilterRule, PortFilter } from "../../../../../proto/gen/zor/v1/acl.js";

function faultsOf(text: string): readonly string[] {
  const line = parseFilterLine("rule", text);
  const rules = "rule" in line ? [line.rule] : [];
  return checkFilter("f", PortFilter.fromPartial({ rules })).map(
    ({ field, description }) => `${field}: ${description}`,
  );
}

test.each([
  "in allow",
  "in allow tcp 1-65535 from 0.0.0.0/0",
  "out drop 255 to 2001:db8::/32",
  "in allow udp 53 from 10.1.2.3",
  "in allow from fe80::1/128",
  "in allow icmp from instances labels.role = web AND NOT name:old",
])("%j is good", (text) => {
  expect(faultsOf(text)).toEqual([]);
});

test.each([
  ["in allow tpc", /rules\[0\]\.protocol: "tpc" is not tcp/],
  ["in allow 256", /protocol/],
  ["in allow icmp 8", /ports: are for tcp and udp only/],
  ["in allow tcp 0", /ports: 0-0 is not from 1/],
  ["in allow tcp 90-80", /ends before it begins/],
  ["in allow tcp 1-70000", /ports/],
  ["in allow from 10.0.0.1/8", /remote: "10\.0\.0\.1\/8" is not a prefix/],
  ["in allow from 10.0.0.0/33", /remote/],
  ["in allow from example.com", /remote/],
  ["in allow from fe80::1%eth0", /remote/],
  ["in allow from instances labels.role =", /remote_instances/],
  ["in allow from instances status.state = RUNNING", /goes by name and labels, not by status/],
])("%j is refused", (text, fault) => {
  expect(faultsOf(text)).toEqual([expect.stringMatching(fault)]);
});

test("what is not set, or too much, is refused by name", () => {
  const rules = [FilterRule.fromPartial({ remote: "10.0.0.0/8", remoteInstances: "labels.a = b" })];
  const faults = checkFilter("f", PortFilter.fromPartial({ rules, defaultIn: 7 as FilterAction }));
  expect(faults.map(({ field }) => field)).toEqual([
    "f.default_in",
    "f.rules[0].direction",
    "f.rules[0].action",
    "f.rules[0].remote_instances",
  ]);
  const many = Array.from({ length: 65 }, () => FilterRule.fromPartial({}));
  expect(checkFilter("f", PortFilter.fromPartial({ rules: many }))).toMatchObject([{ field: "f.rules" }]);
});
