import { expect, test } from "vitest";
import { parseDrops, parseFlows, parseFrames } from "../../../../../agent/network/flows/flow-tool.js";
import { MacViolations } from "../../../../../agent/network/lans/mac-violations.js";
import { noDrops, portDrops } from "../../../../../agent/network/lans/port-drops.js";

const flow = (cookie: string, table: number, [frames, match]: readonly [number, string], actions = "drop") =>
  ` cookie=0x5a01${cookie}, duration=3.5s, table=${table}, n_packets=${frames}, n_bytes=642, idle_age=3, priority=90,${match} actions=${actions}`;
const dump = [
  "OFPST_FLOW reply (OF1.4) (xid=0x2):",
  flow("01", 0, [4, "in_port=5"]),
  flow("02", 2, [3, "ip,in_port=5"]),
  flow("03", 4, [7, "reg15=0/0x2,in_port=5"]),
  flow("04", 0, [9, "in_port=6"]),
  flow("05", 3, [99, "in_port=5"], "goto_table:4"),
].join("\n");
const meters = `OFPST_METER reply (OF1.4) (xid=0x2):
meter:21 flow_count:1 packet_in_count:90 byte_in_count:9000 duration:3.5s bands:
0: packet_count:11 byte_count:1100

meter:23 flow_count:1 packet_in_count:90 byte_in_count:9000 duration:3.5s bands:
0: packet_count:2 byte_count:200
`;

test("what was dropped of a port is told by its causes", () => {
  const ports = [5, 6].map((number) => ({ port: `p${number}`, endpoint: "e", number }));
  const before = new Map([["0x5a0103", 5n]]);
  const figures = { flows: parseFlows(dump), meters: new Map(), frames: parseFrames(dump), before, ports };
  const drops = portDrops({ ...figures, drops: parseDrops(meters) });
  expect(drops.get("p5")).toEqual({ rate: 11n, storm: 2n, guard: 7n, maxMacs: 7n, maxMacsBefore: 5n });
  expect(drops.get("p6")).toEqual({ ...noDrops, guard: 9n });
  expect(portDrops(undefined).size).toBe(0);
  expect(parseFlows(dump).get("0x5a0103")).toBe("table=4, priority=90,reg15=0/0x2,in_port=5 actions=drop");
});

test("too many MAC addresses are told once, and again when it goes on for long", () => {
  const violations = new MacViolations();
  const port = { port: "p5", lan: "lan1", endpoint: "e", maxMacs: 2 };
  const look = (maxMacs: bigint, seconds: number) =>
    violations.look(port, { ...noDrops, maxMacs, maxMacsBefore: 5n }, seconds * 1000)?.fault;
  expect(look(5n, 0)).toBeUndefined();
  expect(look(6n, 10)).toContain("more than 2 MAC addresses");
  expect(look(60n, 20)).toBeUndefined();
  expect(look(60n, 400)).toBeUndefined();
  expect(look(61n, 410)).toContain("more than 2 MAC addresses");
  // The switch was started again.
  expect(look(1n, 900)).toBeUndefined();
  expect(look(2n, 910)).toContain("more than 2 MAC addresses");
});
