import { describe, expect, it } from "vitest";
import { dumpedFlows, readMacs } from "../../../../../agent/network/flows/flow-dump.js";
import { cookieOf } from "../../../../../agent/network/flows/flow-set.js";
import {
  checkSpecFlows,
  endpointWord,
  parseSpecFlow,
  specFlowBuild,
} from "../../../../../agent/network/flows/spec-flows.js";

const ports = [
  { port: "t1", endpoint: "hosts/a/instances/vm1/nics/eth0", number: 7 },
  { port: "t2", endpoint: "links/demo", number: 9 },
];
const write = (text: string) => specFlowBuild([text])?.(ports).flows[0];
const wrongOf = (text: string) => checkSpecFlows("f", [text])[0]?.description ?? "";

describe("flows of a lan's specification", () => {
  it.each([
    ["priority=10,in_port=vm1/eth0,icmp,actions=drop", "table=30,priority=10,in_port=7,icmp,actions=drop"],
    ["arp actions=output:link/demo", "table=30,arp,actions=output:9"],
    ["table=31, ip, actions=dec_ttl,output:vm1/eth0", "table=31,ip,actions=dec_ttl,output:7"],
    ["actions=goto_table:31", "table=30,actions=goto_table:31"],
    ["ip,actions=normal,resubmit(,32)", "table=30,ip,actions=normal,resubmit(,32)"],
    ["ip,actions=set_field:10.0.0.1->ip_src,NORMAL", "table=30,ip,actions=set_field:10.0.0.1->ip_src,NORMAL"],
  ])("%s is %s", (text, written) => {
    expect(checkSpecFlows("f", [text])).toEqual([]);
    expect(write(text)).toBe(written);
  });

  it("wait for what they name", () => {
    expect(write("in_port=vm2/eth0,actions=drop")).toBeUndefined();
    expect(specFlowBuild([])).toBeUndefined();
  });

  it.each([
    ["ip", "has no actions"],
    ["actions=", "has no actions"],
    ["table=0,actions=drop", "tables 30 to 39"],
    ["table=40,actions=drop", "tables 30 to 39"],
    ["table=x,actions=drop", "tables 30 to 39"],
    ["cookie=0x1,actions=drop", '"cookie"'],
    ["idle_timeout=5,actions=drop", '"idle_timeout"'],
    ["priority=0,actions=drop", "between 1 and 65535"],
    ["priority=65536,actions=drop", "between 1 and 65535"],
    ["in_port=3,actions=drop", "does not name an endpoint"],
    ["in_port=LOCAL,actions=drop", "does not name an endpoint"],
    ["actions=output:3", "does not name an endpoint"],
    ["actions=output:NXM_NX_REG0[]", "does not name an endpoint"],
    ["actions=controller", "may not do that"],
    ["actions=CONTROLLER:65535", "may not do that"],
    ["actions=3", "may not do that"],
    ["actions=LOCAL", "may not do that"],
    ["actions=learn(table=0,NXM_OF_IN_PORT[])", "may not do that"],
    ["actions=learn(table=31)", "may not do that"],
    ["actions=clone(output:3)", "may not do that"],
    ["actions=ct(commit)", "may not do that"],
    ["actions=meter:1,normal", "may not do that"],
    ["actions=group:1", "may not do that"],
    ["actions=enqueue:1:2", "may not do that"],
    ["actions=bundle(eth_src,0,hrw,ofport,slaves:1,2)", "may not do that"],
    ["actions=resubmit(,0)", "a later table"],
    ["actions=resubmit(3,31)", "a later table"],
    ["actions=resubmit:3", "a later table"],
    ["actions=goto_table:30", "a later table"],
    ["table=32,actions=goto_table:31", "a later table"],
    ["actions=load:3->NXM_OF_IN_PORT[],normal", "the port a frame came from"],
    ["actions=set_field:3->in_port,normal", "not allowed"],
    ["ct_state=+est,ip,actions=drop", "connections are tracked"],
    ["ip,actions=drop)", "no actions that can be read"],
    ["ip\n,actions=drop", "is not a flow"],
    ["# actions=drop", "is not a flow"],
    [`ip,actions=${"dec_ttl,".repeat(80)}`, "longer than 512"],
  ])("%j is refused: %s", (text, why) => {
    expect(wrongOf(text)).toContain(why);
  });

  it("are at most 256", () => {
    expect(
      checkSpecFlows(
        "f",
        Array.from({ length: 257 }, () => "actions=drop"),
      ),
    ).toEqual([{ field: "f", description: "257 are more than 256" }]);
  });

  it("name what is plugged in", () => {
    expect(["hosts/a/instances/vm1/nics/eth0", "links/demo", "hosts/a/nats/way"].map(endpointWord)).toEqual([
      "vm1/eth0",
      "link/demo",
      "nat/way",
    ]);
    expect(typeof parseSpecFlow("actions=drop")).toBe("object");
  });
});

describe("what the switch has", () => {
  it("is shown with endpoints and by whose it is", () => {
    const text = "in_port=vm1/eth0,arp,actions=output:link/demo";
    const cookie = cookieOf(0x5a03, "table=30,in_port=7,arp,actions=output:9");
    const dump = [
      "OFPST_FLOW reply (OF1.4) (xid=0x2):",
      ` cookie=${cookie}, duration=3.9s, table=30, n_packets=4, n_bytes=168, arp,in_port=7 actions=output:9`,
      " cookie=0x5a0f000000000001, duration=3.9s, table=0, n_packets=9, n_bytes=642, priority=1 actions=goto_table:10",
      " cookie=0x0, duration=1s, table=0, n_packets=0, n_bytes=0, idle_timeout=9, priority=2,in_port=3 actions=drop",
    ].join("\n");
    const shown = dumpedFlows(dump, ports, [text, "in_port=vm9/eth0,actions=drop"]);
    expect(shown).toMatchObject([
      { table: 0, priority: 2, match: "in_port=3", owner: 3, spec: "", waiting: false },
      { table: 0, priority: 1, match: "", actions: "goto_table:10", frames: 9n, bytes: 642n, ageSeconds: 3n, owner: 2 },
      { table: 30, priority: 32768, match: "arp,in_port=vm1/eth0", actions: "output:link/demo", owner: 1, spec: text },
      { spec: "in_port=vm9/eth0,actions=drop", waiting: true, owner: 1 },
    ]);
  });

  it("knows addresses, the agent's own aside", () => {
    const text =
      " port  VLAN  MAC                Age\n    7    10  02:00:00:00:00:01    3\nLOCAL     0  02:aa:00:00:00:01    1\n";
    expect(readMacs(text, ports)).toMatchObject([{ mac: "02:00:00:00:00:01", vlan: 10, port: "t1", ageSeconds: 3n }]);
  });
});
