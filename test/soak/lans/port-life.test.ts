import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.createLan("lan1");
}, 240_000);

afterAll(async () => await rig?.[Symbol.asyncDispose]());

async function zor(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
  return stdout;
}

/** Whether the machine gets an answer of the container, in as many tries as whoever does not may fail. */
async function meets(): Promise<boolean> {
  return (await rig.shell("vm1", "ping -c 3 -W 1 10.80.0.1 >/dev/null 2>&1 && echo yes")).trim() === "yes";
}

async function expectToMeet(wanted: boolean): Promise<void> {
  await eventually(async () => expect(await meets()).toBe(wanted));
}

test("VLANs of a machine and a container are changed while they run, and hold when hub and agent were killed", async () => {
  const machine = ["--kernel", "micro", "--memory", "128M", "--nic", "lan=lan1"];
  await zor("create", "instance", "zt/vm1", ...machine);
  await zor("create", "instance", "zt/c1", "--rootfs", "micro", "--nic", "lan=lan1,addr=10.80.0.1/24,vlan=10");
  await rig.answers("vm1");
  const address = "ip link set eth0 up && ip addr add 10.80.0.2/24 dev eth0 && cat /sys/class/net/eth0/ifindex";
  const ifindex = await rig.shell("vm1", address);
  await expectToMeet(false);
  await zor("set", "instance", "zt/vm1", "--port", "eth0,vlan=10");
  await expectToMeet(true);

  await rig.hub.kill();
  await rig.hub.run();
  await rig.reconnect();
  expect((await zor("describe", "lan", "zt/lan1")).match(/vlan 10$/gm)).toHaveLength(2);
  await expectToMeet(true);

  await rig.agent.end("SIGKILL");
  await expect(rig.zor("set", "instance", "zt/vm1", "--port", "eth0,vlan=20")).resolves.toMatchObject({ stdout: "" });
  await rig.agent.start();
  await rig.ready();
  await expectToMeet(true);
  await zor("set", "instance", "zt/vm1", "--port", "eth0,vlan=20");
  await expectToMeet(false);
  await zor("set", "instance", "zt/vm1", "--port", "eth0,native=10");
  await expectToMeet(true);
  expect(await rig.shell("vm1", "cat /sys/class/net/eth0/ifindex")).toBe(ifindex);
});
