import { expect, test } from "vitest";
import { filterLines } from "../../../../../lib/filter-rule.js";
import { PortFilter } from "../../../../../proto/gen/zor/v1/acl.js";
import type { Nic } from "../../../../../proto/gen/zor/v1/instance.js";
import { PortSettings } from "../../../../../proto/gen/zor/v1/port.js";
import { saysFilter, withFilters } from "../../../../../tui/kinds/instance/filter-flag.js";
import { parseNic } from "../../../../../tui/kinds/instance/nic-flag.js";

const nics = [parseNic("name=eth0,lan=lan1,vlan=10"), parseNic("name=eth1,lan=lan2")];
const linesOf = (given: readonly Nic[]) =>
  given.map(({ portSettings }) => filterLines(portSettings?.filter ?? PortFilter.create()));

test("rules are for all interfaces, or for the one that is named, and leave the other settings", () => {
  const filterRule = ["in default drop", "in allow icmp", "eth1: in allow tcp 22 from 10.0.0.0/8"];
  const filtered = withFilters(nics, { filterRule });
  expect(linesOf(filtered)).toEqual([
    ["in default drop", "in allow icmp"],
    ["in default drop", "in allow icmp", "in allow tcp 22 from 10.0.0.0/8"],
  ]);
  expect(filtered[0]?.portSettings?.vlan).toEqual(nics[0]?.portSettings?.vlan);
});

test("an interface that no rule is for keeps its filter, and all are taken away at once", () => {
  const before = withFilters(nics, { filterRule: ["in default drop"] });
  expect(linesOf(withFilters(before, { filterRule: ["eth1: out drop"] }))).toEqual([["in default drop"], ["out drop"]]);
  const after = withFilters(before, { filterRule: false });
  expect(after.map(({ portSettings }) => portSettings?.filter)).toEqual([undefined, undefined]);
  expect(after[0]?.portSettings).toMatchObject(PortSettings.fromPartial({ vlan: nics[0]?.portSettings?.vlan }));
});

test("interfaces without a name are called by their place, as the agent names them", () => {
  const unnamed = [parseNic("lan=lan1"), parseNic("lan=lan2")];
  expect(linesOf(withFilters(unnamed, { filterRule: ["eth1: in drop"] }))).toEqual([[], ["in drop"]]);
});

test("what is no rule, or for no interface, is refused", () => {
  expect(() => withFilters(nics, { filterRule: ["in permit"] })).toThrow(/"in permit" is not a rule/);
  expect(() => withFilters(nics, { filterRule: ["eth7: in drop"] })).toThrow(/"eth7" is no interface of it; .*eth0/);
  expect([saysFilter({}), saysFilter({ filterRule: [] }), saysFilter({ filterRule: false })]).toEqual([
    false,
    false,
    true,
  ]);
});
