import { expect, test } from "vitest";
import { compileFilters, type FilteredNic } from "../../../../../agent/network/filters/compile-filter.js";
import { portMasks } from "../../../../../agent/network/filters/port-masks.js";
import { parseFilterLine } from "../../../../../lib/filter-rule.js";
import { FilterDirection, PortFilter } from "../../../../../proto/gen/zor/v1/acl.js";

const mac = "52:54:00:00:00:01";
const members: Readonly<Record<string, readonly string[]>> = {
  "labels.role = web": ["10.0.0.5", "2001:db8::5"],
  "labels.role = none": [],
};

function nic(lines: readonly string[], addresses: readonly string[] = []): FilteredNic {
  const filter = PortFilter.fromPartial({});
  for (const text of lines) {
    const line = parseFilterLine("rule", text);
    if ("rule" in line) filter.rules.push(line.rule);
    else if (line.direction === FilterDirection.FILTER_DIRECTION_IN) filter.defaultIn = line.byDefault;
    else filter.defaultOut = line.byDefault;
  }
  return { endpoint: "hosts/a/instances/x/nics/eth0", mac, addresses, filter };
}

function flowsOf(nics: readonly FilteredNic[], numbers: readonly number[] = [3]): readonly string[] {
  const numberOf = new Map(nics.flatMap(({ endpoint }, index) => (numbers[index] ? [[endpoint, numbers[index]]] : [])));
  const filters = { nics, zone: 9, addressesOf: (text: string) => members[text] ?? [] };
  return compileFilters(filters, numberOf).map(({ flow }) => flow);
}

/** Flows of rules, without what all of a direction have in common. */
function rulesOf(...lines: string[]): string[] {
  return flowsOf([nic(lines)]).flatMap((flow) => {
    const [, level = "", match = "", action = ""] =
      /^table=\d+,priority=(\d+),(?:in_port=3|dl_dst=[0-9a-f:]+),ct_state=\+trk\+new,(.*),actions=(.*)$/.exec(flow) ??
      [];
    return Number(level) > 49_000 ? [`${50_000 - Number(level)} ${match} ${action}`] : [];
  });
}

const begin = "ct(commit,zone=9),goto_table:30";

test("without any filter there is no flow", () => {
  expect(flowsOf([])).toEqual([]);
});

test("a default of drop lets ARP, neighbours, DHCP and what is known pass, and tracks all IP", () => {
  const flows = flowsOf([nic(["in default drop"])]).filter((flow) => flow.startsWith("table=20,"));
  expect(flows).toContain(`table=20,priority=60000,dl_dst=${mac},arp,actions=goto_table:30`);
  expect(flows).toContain(`table=20,priority=60000,dl_dst=${mac},icmp6,icmp_type=135,actions=goto_table:30`);
  expect(flows).toContain(`table=20,priority=60000,dl_dst=${mac},udp,tp_src=67,tp_dst=68,actions=goto_table:30`);
  expect(flows).toContain(`table=20,priority=59000,dl_dst=${mac},ct_state=-trk,ip,actions=ct(zone=9,table=20)`);
  expect(flows).toContain(`table=20,priority=58000,dl_dst=${mac},ct_state=+trk+inv,ipv6,actions=drop`);
  expect(flows).toContain(`table=20,priority=57000,dl_dst=${mac},ct_state=+trk+est,ip,actions=goto_table:30`);
  expect(flows).toContain(`table=20,priority=100,dl_dst=${mac},actions=drop`);
  expect(flows).toContain(`table=20,priority=50,in_port=3,ct_state=+trk+new,ip,actions=${begin}`);
});

test("a default of allow remembers what begins, so that answers are known", () => {
  const flows = flowsOf([nic([])]);
  expect(flows).toContain(`table=20,priority=101,dl_dst=${mac},ct_state=+trk+new,ip,actions=${begin}`);
  expect(flows).toContain(`table=20,priority=100,dl_dst=${mac},actions=goto_table:30`);
  expect(flows).toContain("table=10,priority=100,in_port=3,actions=goto_table:20");
});

test("rules keep their order, and say protocol, ports and the other end in both versions of IP", () => {
  expect(
    rulesOf("in allow tcp 22,80-81 from 10.0.0.0/8", "in drop udp", "in allow", "in allow 47 from 2001:db8::/32"),
  ).toEqual([
    `0 tcp,nw_src=10.0.0.0/8,tp_dst=22 ${begin}`,
    `0 tcp,nw_src=10.0.0.0/8,tp_dst=0x50/0xfffe ${begin}`,
    "1 udp drop",
    "1 udp6 drop",
    `2 ip ${begin}`,
    `2 ipv6 ${begin}`,
    `3 ipv6,nw_proto=47,ipv6_src=2001:db8::/32 ${begin}`,
  ]);
});

test("what a NIC sends is decided in its table, and remembered only after the other's filter", () => {
  expect(rulesOf("out allow icmp", "out drop icmpv6 to 2001:db8::1")).toEqual([
    "0 icmp goto_table:20",
    "1 icmp6,ipv6_dst=2001:db8::1 drop",
  ]);
});

test("a group is its addresses, and nobody when it has none", () => {
  expect(
    rulesOf("in allow tcp 80 from instances labels.role = web", "in drop from instances labels.role = none"),
  ).toEqual([`0 tcp,nw_src=10.0.0.5,tp_dst=80 ${begin}`, `0 tcp6,ipv6_src=2001:db8::5,tp_dst=80 ${begin}`]);
});

test("IP for the NIC alone in a frame to many is dropped", () => {
  const many = "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00";
  const flows = flowsOf([nic(["in default drop"], ["10.0.0.1", "2001:db8::1"])]);
  expect(flows).toContain(`table=20,priority=60,${many},ip,nw_dst=10.0.0.1,actions=drop`);
  expect(flows).toContain(`table=20,priority=60,${many},ipv6,ipv6_dst=2001:db8::1,actions=drop`);
});

test("a NIC whose port is not there yet is guarded, and sends nothing anyway", () => {
  const flows = flowsOf([nic(["in default drop", "out default drop"])], []);
  expect(flows.every((flow) => flow.startsWith("table=20,priority=") && flow.includes("dl_dst="))).toBe(true);
});

test("no two flows have the same match, whatever the rules say twice", () => {
  const twice = nic(["in allow tcp 80", "in allow tcp 80,80", "out drop", "out drop"], ["10.0.0.1"]);
  const flows = flowsOf([twice, { ...twice, endpoint: "hosts/a/instances/y/nics/eth0" }], [3, 4]);
  const matches = flows.map((flow) => flow.replace(/,actions=.*/, ""));
  expect(new Set(matches).size).toBe(matches.length);
});

test("ranges of ports are as few masks as there can be, and exactly those ports", () => {
  expect(portMasks(80, 80)).toEqual(["80"]);
  expect(portMasks(8000, 8099)).toEqual(["0x1f40/0xffc0", "0x1f80/0xffe0", "0x1fa0/0xfffc"]);
  expect(portMasks(0, 65_535)).toEqual(["0x0/0x0"]);
  for (const [first, last] of [
    [1, 65_535],
    [1_000, 1_999],
    [65_535, 65_535],
  ] as const) {
    const masks = portMasks(first, last).map((text) => text.split("/").map(Number));
    const holds = (port: number) => masks.some(([value = 0, mask = 0xffff]) => (port & mask) === value);
    for (let port = 0; port < 65_536; port += 1)
      if (holds(port) !== (port >= first && port <= last)) throw new Error(`${port}`);
  }
});
