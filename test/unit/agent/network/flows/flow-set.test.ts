import { describe, expect, it } from "vitest";
import {
  differences,
  type FlowBuild,
  flowChanges,
  isEmpty,
  wantedFlows,
} from "../../../../../agent/network/flows/flow-set.js";
import { parseFlows, parseMeters } from "../../../../../agent/network/flows/flow-tool.js";
import { type FlowPart, flowTables } from "../../../../../agent/network/flows/pipeline.js";

const at = { ports: [{ port: "t1", endpoint: "hosts/a/instances/vm1/nics/eth0", number: 7 }], testPort: 2 };
const drop: FlowBuild = (ports) => ({
  flows: ports.map(({ number }) => `table=${flowTables.lan},priority=5,in_port=${number},actions=drop`),
});
const want = (...parts: readonly (readonly [FlowPart, FlowBuild])[]) => wantedFlows(new Map(parts), at);
const nothing = { flows: new Map<string, string>(), meters: new Map<number, string>() };
const never = () => false;

describe("what is wanted of a bridge", () => {
  it("is nothing when no part wants anything", () => {
    expect(want(["port", () => ({ flows: [] })])).toEqual(nothing);
  });

  it("is the parts' flows with what joins the tables, each with a cookie of its own", () => {
    const { flows } = want(["lan", drop], ["port", () => ({ flows: [] })]);
    expect([...flows.values()]).toEqual([
      "table=30,priority=5,in_port=7,actions=drop",
      "table=0,priority=65535,in_port=LOCAL,dl_type=34997,actions=NORMAL",
      "table=0,priority=65535,in_port=2,dl_type=34997,actions=NORMAL",
      "table=0,priority=1,actions=goto_table:10",
      "table=10,priority=0,actions=goto_table:20",
      "table=20,priority=0,actions=goto_table:30",
      "table=30,priority=0,actions=NORMAL",
    ]);
    expect([...flows.keys()].map((cookie) => cookie.slice(0, 6))).toEqual(["0x5a03", ...Array(6).fill("0x5a0f")]);
    expect([...flows.keys()].every((cookie) => /^0x[0-9a-f]{16}$/.test(cookie))).toBe(true);
  });
});

describe("what is to be done", () => {
  it("is nothing where all is there, and what differs where not", () => {
    const wanted = want(["lan", drop]);
    expect(isEmpty(flowChanges(wanted, wanted, never))).toBe(true);
    const [cookie = ""] = wanted.flows.keys();
    const held = { flows: new Map([...wanted.flows].slice(1)), meters: new Map([[3, "other"]]) };
    const changes = flowChanges(
      { ...held, flows: new Map([...held.flows, ["0x5a01000000000000", "x"]]) },
      wanted,
      never,
    );
    expect(changes.commands).toEqual([
      "delete cookie=0x5a01000000000000/-1",
      `add cookie=${cookie},table=30,priority=5,in_port=7,actions=drop`,
    ]);
    expect(changes.oldMeters).toEqual([3]);
  });

  it("leaves what is kept, and changes meters that are otherwise", () => {
    const meters = [{ id: 1, unit: "pktps" as const, rate: 5, burst: 6 }];
    const wanted = want(["port", () => ({ flows: [], meters })]);
    const held = {
      flows: new Map([["0x5a02000000000000", "x"]]),
      meters: new Map([
        [1, "y"],
        [9, "z"],
      ]),
    };
    const changes = flowChanges(held, wanted, (key) => key === 9 || key === "0x5a02000000000000");
    expect(changes).toEqual({
      commands: [],
      changedMeters: new Map([[1, "pktps,burst,stats,band=type=drop,rate=5,burst_size=6"]]),
      newMeters: new Map(),
      oldMeters: [],
    });
  });
});

describe("what the switch tells", () => {
  it("is flows of ours by their cookies", () => {
    const text =
      " cookie=0x5a0f000000000001, priority=1 actions=goto_table:10\n cookie=0x5a03000000000009, table=30, priority=5,arp actions=drop\n";
    expect([...parseFlows(text)]).toEqual([
      ["0x5a0f000000000001", "priority=1 actions=goto_table:10"],
      ["0x5a03000000000009", "table=30, priority=5,arp actions=drop"],
    ]);
  });

  it("is meters, of which those of others are left out", () => {
    const text = [
      "OFPST_METER_CONFIG reply (OF1.4) (xid=0x2):",
      "meter=6 pktps burst stats bands=\ntype=drop rate=1000 burst_size=50",
      "",
      "meter=5 kbps stats bands=\ntype=drop rate=1000",
      "",
      "meter=60000 kbps burst stats bands=\ntype=drop rate=1 burst_size=5",
      "",
    ].join("\n");
    const meters = parseMeters(text);
    expect(meters.get(6)).toBe("pktps,burst,stats,band=type=drop,rate=1000,burst_size=50");
    expect(meters.has(5)).toBe(true);
    expect(meters.size).toBe(2);
  });

  it("differs by what is missing, other, or more", () => {
    const one = {
      flows: new Map([
        ["a", "1"],
        ["b", "2"],
      ]),
      meters: new Map([[1, "m"]]),
    };
    expect(differences(one, one)).toBe(0);
    expect(
      differences(one, {
        flows: new Map([
          ["a", "3"],
          ["c", "2"],
        ]),
        meters: new Map(),
      }),
    ).toBe(4);
  });
});
