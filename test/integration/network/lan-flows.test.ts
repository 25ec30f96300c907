import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { examineFlows } from "../../../agent/network/flows/flow-parser.js";
import { specFlowBuild } from "../../../agent/network/flows/spec-flows.js";
import { LanFlowOwner } from "../../../proto/gen/zor/v1/lan_flow.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { NetworkFixture, ping } from "./fixture.js";

const lan1 = { id: "lan1", uid: "u-lan-flows", mtu: 1500, rstp: false };
const peer = "10.77.0.2";
const noPings = "priority=10,in_port=aaa/eth0,icmp,actions=drop";

it("flows of a specification hold, whoever is killed and whoever deletes them", { timeout: 180_000 }, async () => {
  const net = await NetworkFixture.open();
  onTestFinished(() => net.destroy());
  const apply = () => net.lans.flows.set("lan1", "lan", specFlowBuild([noPings]));
  const isSilent = async () => expect((await pingAtOnce({ netns, address: peer, count: 2 })).size).toBe(0);
  const dropped = async () =>
    (await net.lans.flows.dump("lan1", [noPings])).filter(({ spec, waiting }) => spec === noPings && !waiting);
  const holds = () => eventually(async () => expect(await dropped()).toHaveLength(1));
  await net.lans.ensureLan(lan1);
  net.lans.flows.settle();
  await apply();
  expect(await dropped()).toEqual([]);
  const { netns } = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
  const other = await net.plugContainer("bbb", "lan1", `${peer}/24`);

  await holds();
  await isSilent();
  await eventually(async () => expect((await dropped())[0]?.frames).toBe(2n));
  expect((await net.lans.flows.macs("lan1")).map(({ port }) => port)).toContain(other.port);

  const target = `unix:${join(net.stateDirectory, "ovs", `${await net.vsctl("list-br")}.mgmt`)}`;
  await run("ovs-ofctl", ["del-flows", target]);
  await holds();
  await isSilent();

  await killed((await net.sw.processes())["ovs-vswitchd"]?.pid ?? 0);
  await holds();
  await isSilent();

  await net.reopen();
  await net.lans.ensureLan(lan1);
  await apply();
  net.lans.flows.settle();
  await holds();
  await isSilent();

  await net.lans.flows.set("lan1", "lan", undefined);
  await ping(netns, peer);
  const left = await net.lans.flows.dump("lan1", []);
  expect(left.map(({ owner, actions }) => [owner, actions])).toEqual([[LanFlowOwner.LAN_FLOW_OWNER_OTHER, "NORMAL"]]);
});

it("flows are read by the parser of Open vSwitch before anything is changed", async () => {
  const examine = (...flows: readonly string[]) => examineFlows("lan.spec.flows", flows);
  await examine(noPings, "table=31,tcp,tp_dst=80,actions=output:aaa/eth0", "arp,actions=normal");
  await expect(examine(noPings, "nonsense=1,actions=drop")).rejects.toMatchObject({
    violations: [{ field: "lan.spec.flows[1]", description: expect.stringContaining("nonsense") }],
  });
  await expect(examine("tp_dst=80,actions=drop")).rejects.toThrow("such as tcp before tp_dst");
  await expect(examine(noPings, "priority=10,icmp,in_port=aaa/eth0,actions=normal")).rejects.toMatchObject({
    violations: [{ field: "lan.spec.flows[1]", description: expect.stringContaining("matches the same") }],
  });
});
