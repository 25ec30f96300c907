import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { findDevice } from "../../../lib/net/device.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { NatRig } from "../../integration/network/nat-rig.js";
import { layCable, portrait } from "../../integration/network/phy-cable.js";

let rig: NatRig;
let probe: TestNetns;

beforeAll(async () => {
  probe = await makeNetns("probe");
  rig = await NatRig.start(
    ["phys: [{device: eth1}]", `taps: [{netns: ${probe.name}, addresses: ["10.8.0.0/16"]}]`].join("\n"),
  );
  await rig.ok("create", "lan", "zt/lan1");
  await rig.container("pc");
  await rig.shell("pc", "ip addr add 10.7.0.9/24 dev eth0");
  const nics = ["name=eth1,addr=10.8.0.1/24", "name=eth2,addr=10.9.0.9/24", "name=eth3,addr=10.7.0.1/24"];
  await rig.ok("create", "instance", "zt/r1", "--rootfs", "micro", ...nics.flatMap((nic) => ["--nic", nic]));
});
afterAll(async () => {
  await rig.zor("delete", "wire", "zt/w1", "zt/w2", "zt/w3", "--yes");
  await rig.zor("delete", "instance", "zt/r1", "--yes", "--force");
  const left = await rig.close();
  await probe[Symbol.asyncDispose]();
  expect(left).toEqual([]);
});

const answers = (netns: string, address: string) =>
  eventually(async () => expect((await pingAtOnce({ netns, address, count: 1 })).size).toBe(1));
const carrierOf = async (nic: string): Promise<string> =>
  (await rig.shell("r1", `cat /sys/class/net/${nic}/carrier`)).trim();
const expectCarrier = (nic: string, carrier: string) =>
  eventually(async () => expect(await carrierOf(nic)).toBe(carrier));
const expectTap = (isRunning: boolean) =>
  eventually(() => expect(findDevice(probe.name, "ztt1")?.isRunning).toBe(isRunning));
const refusal = async (...argv: string[]): Promise<string> => {
  const { code, stderr } = await rig.zor(...argv);
  expect(code).not.toBe(0);
  return stderr;
};

async function restartAgent(): Promise<void> {
  await rig.agent.end("SIGKILL");
  await rig.startAgent();
  await rig.answers();
}

it("a tap at an end has the carrier that a NIC would have, and is in nothing else", async () => {
  await rig.ok("create", "tap", "zt/t1", "--netns", probe.name, "--device", "ztt1", "--addr", "10.8.0.2/24");
  await expectTap(false);
  await rig.ok("create", "wire", "zt/w1", "r1:eth1", "tap:zt/t1", "--mtu", "3000");
  await answers(probe.name, "10.8.0.1");
  await expectTap(true);
  const { stdout } = await run("ip", ["-n", probe.name, "link", "show", "dev", "ztt1"]);
  expect(stdout).toContain("mtu 3000");
  expect(await refusal("set", "tap", "zt/t1", "--lan", "lan1")).toContain("wires/w1");
  expect(await refusal("delete", "tap", "zt/t1", "--yes")).toContain("wires/w1");
  expect(await refusal("create", "wire", "zt/w9", "r1:eth2", "tap:zt/t1")).toContain("wires/w1");
  expect(await refusal("create", "wire", "zt/w9", "r1:eth2", "tap:zt/none")).toContain("zor get taps");
  await rig.ok("set", "wire", "zt/w1", "--cut");
  await expectTap(false);
  await expectCarrier("eth1", "0");
  await rig.ok("set", "wire", "zt/w1", "--no-cut", "--delay", "1ms");
  await answers(probe.name, "10.8.0.1");
  const changes = () => rig.shell("r1", "cat /sys/class/net/eth1/carrier_changes");
  const before = await changes();
  await restartAgent();
  await answers(probe.name, "10.8.0.1");
  expect(await changes()).toBe(before);
  await rig.ok("set", "wire", "zt/w1", "--clear");
  await answers(probe.name, "10.8.0.1");
  await rig.ok("delete", "wire", "zt/w1", "--yes");
  await expectTap(false);
  await expectCarrier("eth1", "0");
  await rig.ok("delete", "tap", "zt/t1", "--yes");
});

it("a phy at an end is taken in for it, shows whether a cable is in it, and is given back as it was", async () => {
  const cable = await layCable(rig.host, "eth1");
  onTestFinished(async () => {
    await rig.zor("delete", "wire", "zt/w2", "--yes");
    await rig.zor("delete", "phy", "zt/eth1", "--yes");
    await cable[Symbol.asyncDispose]();
  });
  await cable.far.ip("address", "add", "10.9.0.1/24", "dev", "far0");
  const before = await portrait(rig.host, "eth1");
  await rig.ok("create", "phy", "zt/eth1");
  expect(await rig.ok("get", "phys")).toMatch(/zt\/eth1 +GIVEN-BACK/);
  await rig.ok("create", "wire", "zt/w2", "r1:eth2", "phy:zt/eth1");
  await answers(cable.far.name, "10.9.0.9");
  expect(findDevice(rig.host.name, "eth1")).toBeUndefined();
  expect(await refusal("set", "phy", "zt/eth1", "--lan", "lan1")).toContain("wires/w2");
  expect(await refusal("delete", "phy", "zt/eth1", "--yes")).toContain("wires/w2");
  await cable.far.ip("link", "set", "far0", "down");
  await expectCarrier("eth2", "0");
  await eventually(async () => expect(await rig.ok("describe", "wire", "zt/w2")).toContain("no cable is in it"));
  await cable.far.ip("link", "set", "far0", "up");
  await expectCarrier("eth2", "1");
  await restartAgent();
  await answers(cable.far.name, "10.9.0.9");
  await rig.ok("set", "wire", "zt/w2", "--cut");
  await eventually(() => expect(findDevice(cable.far.name, "far0")?.isRunning).toBe(false));
  await rig.ok("set", "wire", "zt/w2", "--no-cut");
  await answers(cable.far.name, "10.9.0.9");
  await rig.ok("delete", "wire", "zt/w2", "--yes");
  await eventually(async () => expect(await portrait(rig.host, "eth1")).toEqual(before));
});

it("a wire into a lan is a port of it, which is made again when somebody removes it", async () => {
  await rig.ok("create", "wire", "zt/w3", "r1:eth3", "lan:zt/lan1");
  const pinged = () =>
    eventually(async () => expect(await rig.shell("r1", "ping -c 1 -W 5 10.7.0.9")).toContain(" 0% packet loss"));
  await pinged();
  expect(await refusal("delete", "lan", "zt/lan1", "--yes")).toContain("wires/w3");
  expect(await refusal("set", "wire", "zt/w3", "--a", "lan:zt/lan1")).toContain("wire.spec.b");
  await restartAgent();
  await pinged();
  const { stdout } = await run("ip", ["-n", rig.agent.netns, "-br", "link"]);
  const [, port = ""] = /^(zv[0-9a-f]{10})/m.exec(stdout) ?? [];
  await run("ip", ["-n", rig.agent.netns, "link", "delete", port]);
  await pinged();
  await rig.ok("delete", "wire", "zt/w3", "--yes");
  await eventually(async () =>
    expect((await run("ip", ["-n", rig.agent.netns, "-br", "link"])).stdout).not.toMatch(/^z[vw]/m),
  );
});
