import { describe, expect, test } from "vitest";
import { filterLines, filterRuleText, parseFilterLine } from "../../../lib/filter-rule.js";
import { FilterAction, FilterDirection, PortFilter } from "../../../proto/gen/zor/v1/acl.js";

const { FILTER_DIRECTION_IN: into, FILTER_DIRECTION_OUT: out } = FilterDirection;
const { FILTER_ACTION_ALLOW: allow, FILTER_ACTION_DROP: drop } = FilterAction;
const rule = (text: string) => {
  const line = parseFilterLine("--filter-rule", text);
  if (!("rule" in line)) throw new Error(`${text} is a default`);
  return line.rule;
};

describe("a rule", () => {
  test.each([
    "in allow",
    "out drop",
    "in allow tcp",
    "in allow tcp 22,80,8000-8099 from 10.0.0.0/8",
    "out drop udp 53 to 2001:db8::/32",
    "in drop from 192.168.0.7",
    "in allow icmp from instances labels.role = web",
    "out allow tcp 5432 to instances labels.role = db AND labels.site = north",
    "in allow 47",
  ])("%j is read and written as it is", (text) => {
    expect(filterRuleText(rule(text))).toBe(text);
  });

  test("has its parts", () => {
    expect(rule("in  allow tcp 22,80-90 from any")).toEqual({
      ...{ direction: into, action: allow, protocol: "tcp", remote: "", remoteInstances: "" },
      ports: [
        { first: 22, last: 0 },
        { first: 80, last: 90 },
      ],
    });
    expect(rule("out drop any to 10.1.1.1")).toMatchObject({ protocol: "", ports: [], remote: "10.1.1.1" });
  });

  test.each([
    "",
    "allow tcp",
    "in",
    "in permit tcp",
    "in allow tcp 22 to 10.0.0.0/8",
    "out allow from 10.0.0.0/8",
    "in allow tcp port 22",
    "in allow tcp 22 from",
    "in default",
    "in default drop tcp",
  ])("%j is refused with the form", (text) => {
    expect(() => parseFilterLine("--filter-rule", text)).toThrow(/--filter-rule/);
  });
});

test("a filter is told by its defaults and rules", () => {
  expect(parseFilterLine("x", "in default drop")).toEqual({ direction: into, byDefault: drop });
  expect(parseFilterLine("x", "out default allow")).toEqual({ direction: out, byDefault: allow });
  const filter = PortFilter.fromPartial({ defaultIn: drop, defaultOut: allow, rules: [rule("in allow tcp 22")] });
  expect(filterLines(filter)).toEqual(["in default drop", "in allow tcp 22"]);
});
