import { expect, test } from "vitest";
import { settlePort } from "../../../../../agent/network/lans/port-check.js";
import { type FlowSettings, portFlows } from "../../../../../agent/network/lans/port-flows.js";
import { PortSettings } from "../../../../../proto/gen/zor/v1/port.js";

const mac = "02:00:00:00:00:01";
type Wanted = Parameters<typeof PortSettings.fromPartial>[0];

function wanted(settings: Wanted, addresses: readonly string[] = []): FlowSettings {
  return { settings: settlePort(PortSettings.fromPartial(settings)) ?? PortSettings.create(), own: { mac, addresses } };
}

function flowsOf(settings: FlowSettings, number = 5) {
  return portFlows([{ port: "p1", endpoint: "e1", number }], new Map([["p1", settings]]));
}

/** The flows of one table, without those that lead on. */
function inTable(table: number, flows: readonly string[]): string[] {
  const prefix = `table=${table},`;
  return flows
    .filter((flow) => flow.startsWith(prefix) && flow.includes("in_port="))
    .map((flow) => flow.slice(prefix.length));
}

test("ports without such settings, or that are not plugged in, need no flow at all", () => {
  expect(flowsOf(wanted({ vlan: { tag: 10 }, rateOut: { rateBps: 8000n } }))).toEqual({ flows: [] });
  expect(portFlows([], new Map([["p1", wanted({ rateIn: { rateBps: 8000n } })]]))).toEqual({ flows: [] });
});

test("a rate is a meter in kilobits that every frame of the port passes", () => {
  const { flows, meters } = flowsOf(wanted({ rateIn: { rateBps: 10_000_000n } }));
  expect(meters).toEqual([{ id: 21, unit: "kbps", rate: 10_000, burst: 1049 }]);
  expect(inTable(5, flows)).toEqual(["priority=10,in_port=5,actions=meter:21,goto_table:6"]);
  expect(flows).toContain("table=8,priority=0,actions=goto_table:10");
});

test("each kind of storm has a meter of its own, and unknown unicasts are those that nobody has been heard from", () => {
  const { flows, meters } = flowsOf(wanted({ stormControl: { multicastPerSecond: 500, unknownUnicastPerSecond: 7 } }));
  expect(meters).toEqual([
    { id: 23, unit: "pktps", rate: 500, burst: 50 },
    { id: 24, unit: "pktps", rate: 7, burst: 10 },
  ]);
  expect(inTable(6, flows)).toEqual([
    "priority=30,in_port=5,dl_dst=ff:ff:ff:ff:ff:ff,actions=goto_table:7",
    "priority=20,in_port=5,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=meter:23,goto_table:7",
    "priority=10,in_port=5,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,actions=load:0->NXM_NX_REG15[0],resubmit(,9),goto_table:7",
  ]);
  expect(flows.at(-1)).toMatch(/^table=8,priority=0,actions=learn\(table=9,.*cookie=0x5b.*\),goto_table:10$/);
});

test("a guard without IP addresses minds MAC addresses only, also those that ARP and neighbour discovery tell", () => {
  const { flows } = flowsOf(wanted({ addressGuard: { macs: ["02:00:00:00:00:AA"] } }));
  const guards = inTable(0, flows);
  for (const one of [mac, "02:00:00:00:00:aa"]) {
    expect(guards).toContain(`priority=100,in_port=5,dl_src=${one},actions=goto_table:1`);
    expect(guards).toContain(`priority=120,in_port=5,dl_src=${one},arp,arp_sha=${one},actions=goto_table:1`);
    expect(guards).toContain(`priority=110,in_port=5,dl_src=${one},arp,actions=drop`);
  }
  expect(guards).toContain("priority=90,in_port=5,actions=drop");
  expect([...inTable(1, flows), ...inTable(2, flows)]).toEqual([]);
});

test("a guard with addresses, its own or others, lets IP through from those, and from who has none yet", () => {
  const { flows } = flowsOf(wanted({ addressGuard: { addresses: ["FD00::00:1", "10.1.2.3/16"] } }, ["10.80.0.1/24"]));
  const sources = inTable(2, flows);
  const passed = sources
    .filter((flow) => flow.endsWith("goto_table:3"))
    .map((flow) => /in_port=5,(.*),actions/.exec(flow)?.[1]);
  expect(passed).toEqual([
    ...["arp,arp_spa=10.80.0.1", "arp,arp_spa=10.1.0.0/16", "arp,arp_spa=0.0.0.0"],
    ...["ip,nw_src=10.80.0.1", "ip,nw_src=10.1.0.0/16", "ipv6,ipv6_src=fd00::1", "ipv6,ipv6_src=fe80::/10"],
    ...["udp,nw_src=0.0.0.0,tp_src=68,tp_dst=67", "ip,nw_src=0.0.0.0,nw_proto=2"],
    ...[131, 133, 135, 143].map((type) => `icmp6,ipv6_src=::,icmp_type=${type}`),
  ]);
  expect(sources).toContain("priority=90,in_port=5,ip,actions=drop");
  expect(inTable(1, flows)).toContain(
    "priority=100,in_port=5,icmp6,icmp_type=136,icmp_code=0,nd_target=fd00::1,actions=goto_table:2",
  );
});

test("a limit of MAC addresses is counted by the switch, for each port and limit by itself", () => {
  const { flows } = flowsOf(wanted({ maxMacs: 2 }));
  expect(inTable(3, flows)).toEqual([
    expect.stringMatching(
      /^priority=10,in_port=5,actions=learn\(table=9,priority=0,cookie=0x5b01[0-9a-f]{12},hard_timeout=300,limit=2,result_dst=NXM_NX_REG15\[1\],NXM_OF_IN_PORT\[\],NXM_OF_ETH_SRC\[\]\),goto_table:4$/,
    ),
  ]);
  expect(inTable(4, flows)).toEqual(["priority=10,reg15=0/2,in_port=5,actions=drop"]);
  expect(inTable(3, flowsOf(wanted({ maxMacs: 3 })).flows)[0]?.slice(0, 99)).not.toBe(
    inTable(3, flows)[0]?.slice(0, 99),
  );
  expect(flowsOf(wanted({ maxMacs: 0 })).flows).toEqual([]);
});

test("no two flows of a table match the same, and meters of ports never meet, whatever their numbers", () => {
  const all = wanted(
    {
      rateIn: { rateBps: 8000n },
      maxMacs: 3,
      stormControl: { broadcastPerSecond: 1, multicastPerSecond: 1, unknownUnicastPerSecond: 1 },
      addressGuard: { macs: [mac], addresses: ["10.80.0.1", "10.80.0.1/32", "fd00::1"] },
    },
    ["10.80.0.1/24", "fd00:0::1/64"],
  );
  // Numbers that fall upon the same place, and the largest that there is.
  const ports = [3, 5002, 10_001, 65_279].map((number) => ({ port: `p${number}`, endpoint: "e", number }));
  const { flows, meters = [] } = portFlows(ports, new Map(ports.map(({ port }) => [port, all])));
  const matches = flows.map((flow) => flow.replace(/,actions=.*$/, ""));
  expect(new Set(matches).size).toBe(matches.length);
  expect(new Set(meters.map(({ id }) => id)).size).toBe(16);
  expect(Math.max(...meters.map(({ id }) => id))).toBeLessThan(20_000);
});
