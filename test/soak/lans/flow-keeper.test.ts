import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { FlowBuild } from "../../../agent/network/flows/flow-set.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { NetworkFixture, ping } from "../../integration/network/fixture.js";

const lan1 = { id: "lan1", uid: "u-flows", mtu: 1500, rstp: false };
const peer = "10.77.0.2";
const endpointOf = (uid: string) => `hosts/t/instances/${uid}/nics/eth0`;

/** Drops pings of one guest; in another part a limit that nothing reaches. */
const noPings: FlowBuild = (ports) => ({
  flows: ports
    .filter(({ endpoint }) => endpoint === endpointOf("aaa"))
    .map(({ number }) => `table=30,priority=5,icmp,in_port=${number},actions=drop`),
});
const limits: FlowBuild = (ports) => ({
  flows: ports.map(({ number }) => `table=0,priority=100,in_port=${number},actions=meter:${number},goto_table:10`),
  meters: ports.map(({ number }) => ({ id: number, unit: "kbps", rate: 1_000_000, burst: 1000 })),
});

async function open() {
  const net = await NetworkFixture.open();
  onTestFinished(() => net.destroy());
  await net.lans.ensureLan(lan1);
  net.lans.flows.settle();
  const { netns, port } = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
  await net.plugContainer("bbb", "lan1", `${peer}/24`);
  await ping(netns, peer);
  const bridge = await net.vsctl("list-br");
  const target = `unix:${join(net.stateDirectory, "ovs", `${bridge}.mgmt`)}`;
  const ofctl = async (command: string, ...argv: string[]) =>
    (await run("ovs-ofctl", ["-O", "OpenFlow14", command, target, ...argv])).stdout;
  const dump = async () =>
    (await run("ovs-ofctl", ["-O", "OpenFlow14", "dump-flows", "--no-stats", "--no-names", target])).stdout;
  const isDropped = async () => (await pingAtOnce({ netns, address: peer, count: 2 })).size === 0;
  return { net, netns, port, ofctl, dump, isDropped };
}

it("flows of parts hold, meters with them, and go without a trace", { timeout: 120_000 }, async () => {
  const { net, netns, dump, ofctl, isDropped } = await open();
  const plain = await dump();
  await net.lans.flows.set("lan1", "lan", noPings);
  await net.lans.flows.set("lan1", "port", limits);
  expect(await isDropped()).toBe(true);
  expect(await ofctl("dump-meters")).toMatch(/meter=\d+ kbps burst stats bands=\n.*rate=1000000/);
  await net.lans.flows.set("lan1", "lan", undefined);
  await ping(netns, peer);
  await net.lans.flows.set("lan1", "port", () => ({ flows: [] }));
  expect(await dump()).toBe(plain);
  expect(await ofctl("dump-meters")).not.toContain("meter=");
  expect(await net.vsctl("get", "Bridge", await net.vsctl("list-br"), "external_ids")).not.toContain("zor-flows");
});

it("a set that the switch refuses changes nothing", { timeout: 120_000 }, async () => {
  const { net, dump } = await open();
  await net.lans.flows.set("lan1", "lan", noPings);
  const before = await dump();
  const bad = () => ({ flows: ["table=30,priority=4,in_port=1,actions=meter:77,NORMAL"] });
  await expect(net.lans.flows.set("lan1", "acl", bad)).rejects.toThrow(
    "the switch does not take the flows of lan lan1",
  );
  await eventually(() => expect(net.lans.find("lan1")?.reason).toBe(""));
  expect(await dump()).toBe(before);
});

it("flows outlive switch and agent, follow ports, and are put right", { timeout: 180_000 }, async () => {
  const { net, netns, port, dump, ofctl, isDropped } = await open();
  const healed: string[] = [];
  const listen = () => net.lans.flows.onChange((change) => healed.push(change.healed));
  listen();
  await net.lans.flows.set("lan1", "lan", noPings);
  await net.lans.flows.set("lan1", "port", limits);
  const whole = await dump();

  await ofctl("del-flows");
  await eventually(async () => expect(await dump()).toBe(whole.replace(/^.*priority=0 actions=NORMAL\n/m, "")));
  await eventually(() => expect(healed.join()).toContain("were changed at the switch"));
  await ofctl("add-flow", "table=0,priority=9,arp,dl_src=02:00:00:00:00:77,actions=drop");
  await ofctl("mod-flows", "table=30,icmp,actions=NORMAL");
  await ofctl("del-meters");
  await eventually(async () => expect(await isDropped()).toBe(true));
  await eventually(async () => expect(await ofctl("dump-meters")).toContain("meter="));
  expect(await dump()).toContain("02:00:00:00:00:77");

  const { "ovs-vswitchd": vswitchd } = await net.sw.processes();
  await killed(vswitchd?.pid ?? 0);
  await eventually(async () => expect(await dump()).toBe(whole));
  expect(await isDropped()).toBe(true);

  await net.reopen();
  listen();
  await net.lans.ensureLan(lan1);
  // The one part has not spoken yet: what it had before stays.
  await net.lans.flows.set("lan1", "lan", noPings);
  expect(await dump()).toBe(whole);
  await net.lans.flows.set("lan1", "port", limits);
  net.lans.flows.settle();
  expect(await dump()).toBe(whole);

  await net.lans.unplug(port);
  await eventually(async () => expect(await dump()).not.toContain("icmp"));
  await net.lans.plug({ lan: "lan1", port, endpoint: endpointOf("aaa") });
  await eventually(async () => expect(await dump()).toContain("icmp"));
  await eventually(async () => expect(await isDropped()).toBe(true));

  await net.reopen();
  await net.lans.ensureLan(lan1);
  await net.lans.flows.set("lan1", "lan", undefined);
  net.lans.flows.settle();
  await ping(netns, peer);
});
