import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { NatRig } from "../../integration/network/nat-rig.js";
import { furnish, layCable, type PhyCable, portrait } from "../../integration/network/phy-cable.js";

let rig: NatRig;
let cable: PhyCable;

beforeAll(async () => {
  const settings = ["phys: [{device: eth1}, {device: up0}, {device: br7}, {device: gone0}, {device: lo}]"];
  rig = await NatRig.start(`${[...settings, "underlay: [198.51.100.7]"].join("\n")}\n`);
  await rig.ok("create", "lan", "zt/lan1");
  await rig.container("pc");
  await rig.shell("pc", "ip addr add 10.9.0.9/24 dev eth0");
});
afterAll(async () => {
  expect(await rig.close()).toEqual([]);
});

beforeEach(async () => {
  cable = await layCable(rig.host, "eth1");
  await cable.far.ip("address", "add", "10.9.0.1/24", "dev", "far0");
  onTestFinished(async () => {
    const names = (await rig.zor("get", "phys", "-o", "name")).stdout.trim();
    for (const name of names === "" ? [] : names.split("\n")) await rig.zor("delete", "phy", name, "--yes");
    await cable[Symbol.asyncDispose]();
  });
});

const answers = async (): Promise<boolean> =>
  (await pingAtOnce({ netns: cable.far.name, address: "10.9.0.9", count: 1 })).size === 1;
const reached = () => eventually(async () => expect(await answers()).toBe(true));
const hasDevice = async (device: string): Promise<boolean> =>
  (await run("ip", ["-n", rig.host.name, "-br", "link"])).stdout
    .split("\n")
    .some((line) => line.startsWith(`${device}@`));
const records = async (): Promise<readonly string[]> =>
  (await readdir(join(rig.agent.state, "phy-records")).catch(() => [])).filter((name) => name.endsWith(".json"));
const take = (...more: readonly string[]) => rig.ok("create", "phy", "zt/eth1", "--lan", "lan1", ...more);

it("goes from lan to lan, and to the host for a while", async () => {
  const before = await portrait(rig.host, "eth1");
  await take();
  await reached();
  await rig.ok("set", "phy", "zt/eth1", "--port", "vlan=10");
  await eventually(async () => expect(await answers()).toBe(false));
  await rig.ok("set", "phy", "zt/eth1", "--port", "");
  await reached();
  await rig.ok("set", "phy", "zt/eth1", "--no-lan");
  await eventually(async () => expect(await portrait(rig.host, "eth1")).toEqual(before));
  expect(await rig.ok("get", "phys")).toMatch(/zt\/eth1 +GIVEN-BACK/);
  await rig.ok("set", "phy", "zt/eth1", "--lan", "lan1");
  await reached();
  expect((await rig.zor("delete", "lan", "zt/lan1", "--yes")).stderr).toContain("phys/eth1");
});

it("is told when its cable is pulled and when it is gone, and is taken in again", async () => {
  await take();
  await reached();
  await cable.far.ip("link", "set", "far0", "down");
  await rig.told(/^phy\.unplugged eth1 has no carrier/);
  expect(await rig.ok("get", "phys")).toMatch(/zt\/eth1 +UNPLUGGED/);
  await cable.far.ip("link", "set", "far0", "up");
  await rig.told(/^phy\.healed eth1 has carrier again/);
  await reached();
  await cable.far.ip("link", "delete", "far0");
  await rig.told(/^phy\.unplugged interface eth1 is gone/);
  await rig.host.ip("link", "add", "eth1", "type", "veth", "peer", "name", "far0", "netns", cable.far.name);
  await cable.far.ip("link", "set", "far0", "up");
  await cable.far.ip("address", "add", "10.9.0.1/24", "dev", "far0");
  await rig.told(/^phy\.healed .*taken in again/);
  await reached();
  // As it was found the last time: down, without any address.
  await rig.ok("delete", "phy", "zt/eth1", "--yes");
  const { stdout } = await run("ip", ["-n", rig.host.name, "-br", "address", "show", "dev", "eth1"]);
  expect(stdout).toMatch(/^eth1@\S+ +DOWN\s*$/);
});

it("is taken in whole, or given back whole, by an agent that was killed in the middle", async () => {
  await furnish(rig.host, "eth1");
  const before = await portrait(rig.host, "eth1");
  for (const moment of [0, 1, 2, 3]) {
    const creation = rig.begin("create", "phy", "zt/eth1", "--device", "eth1", "--lan", "lan1");
    // Killed as soon as there is a record, or when the interface has gone.
    await eventually(async () => {
      expect(moment % 2 === 0 ? (await records()).length > 0 : !(await hasDevice("eth1"))).toBe(true);
    });
    await killed(rig.agent.pid);
    await creation.result;
    await rig.startAgent();
    await rig.answers();
    await eventually(async () => expect(await rig.ok("get", "phys")).toMatch(/zt\/eth1 +READY/));
    await reached();
    const deletion = rig.begin("delete", "phy", "zt/eth1", "--yes");
    if (moment > 1) {
      await eventually(async () => expect(await hasDevice("eth1")).toBe(true));
      await killed(rig.agent.pid);
      await deletion.result;
      await rig.startAgent();
      await rig.answers();
    } else await deletion.result;
    await rig.zor("delete", "phy", "zt/eth1", "--yes");
    await eventually(async () => expect(await portrait(rig.host, "eth1")).toEqual(before));
    expect(await records()).toEqual([]);
  }
});

it("is refused where the host may be cut off, and where it could not be given back", async () => {
  const refused = async (...argv: readonly string[]) =>
    (await rig.zor("create", "phy", "zt/p9", "--lan", "lan1", ...argv)).stderr;
  expect(await refused("--device", "up0")).toMatch(/up0 has the host's default route.*--force --confirm-within/s);
  expect(await refused("--device", "up0", "--force")).toContain("needs --confirm-within");
  expect(await refused("--device", "eth9")).toContain("the agent's setting phys");
  expect(await refused("--device", "gone0")).toContain("the host has no interface gone0");
  await rig.host.ip("address", "add", "198.51.100.7/24", "dev", "eth1");
  expect(await refused("--device", "eth1")).toContain("eth1 has 198.51.100.7, which the agent uses");
  await rig.host.ip("address", "delete", "198.51.100.7/24", "dev", "eth1");
  await rig.host.ip("link", "add", "br7", "type", "bridge");
  await rig.host.ip("link", "set", "eth1", "master", "br7");
  expect(await refused("--device", "eth1")).toContain("eth1 is a port of br7");
  expect(await refused("--device", "br7")).toContain("br7 is a bridge");
  await rig.host.ip("link", "delete", "br7");
  await run("tc", ["qdisc", "add", "dev", "eth1", "ingress"], { netns: rig.host.name });
  expect(await refused("--device", "eth1")).toContain("traffic control (ingress)");
  await run("tc", ["qdisc", "delete", "dev", "eth1", "ingress"], { netns: rig.host.name });
  expect(await refused("--device", "eth1", "--mode", "vlan", "--vlan-id", "10")).toMatch(
    /^$|the kernel of this host has no vlan interfaces; load module 8021q/,
  );
  await rig.zor("delete", "phy", "zt/p9", "--yes");
  await take();
  expect(await refused("--device", "eth1")).toContain("hosts/zt/phys/eth1");
  expect(await records()).toHaveLength(1);
});

it("stays when it is confirmed, and goes back by itself when nobody does, also without the agent", async () => {
  const before = await portrait(rig.host, "up0");
  const force = ["--device", "up0", "--lan", "lan1", "--force", "--confirm-within"];
  await rig.ok("create", "phy", "zt/up", ...force, "10m");
  expect((await rig.zor("confirm", "zt/eth9")).stderr).toContain("does not exist");
  expect(await rig.ok("confirm", "zt/up")).toContain("phy zt/up confirmed");
  expect(await hasDevice("up0")).toBe(false);
  await rig.ok("delete", "phy", "zt/up", "--yes");
  await eventually(async () => expect(await portrait(rig.host, "up0")).toEqual(before));

  await rig.ok("create", "phy", "zt/up", ...force, "5s");
  await eventually(async () => expect(await portrait(rig.host, "up0")).toEqual(before));
  await rig.told(/^phy\.given-back nobody confirmed it in time, so up0 was given back/);
  expect(await rig.ok("get", "phys")).toMatch(/zt\/up +GIVEN-BACK/);
  expect((await rig.zor("confirm", "zt/up")).stderr).toContain("too late");
  await rig.ok("delete", "phy", "zt/up", "--yes");

  await rig.ok("create", "phy", "zt/up", ...force, "15s");
  expect(await hasDevice("up0")).toBe(false);
  await killed(rig.agent.pid);
  await eventually(async () => expect(await portrait(rig.host, "up0")).toEqual(before));
  await rig.startAgent();
  await rig.answers();
  await rig.told(/^phy\.given-back nobody confirmed it in time/);
  expect(await rig.ok("get", "phys")).toMatch(/zt\/up +GIVEN-BACK/);
  await rig.ok("delete", "phy", "zt/up", "--yes");
  await eventually(async () => expect(await portrait(rig.host, "up0")).toEqual(before));
});

it("lets the host keep its interface with mode macvlan, where the kernel has that", async () => {
  const before = await portrait(rig.host, "eth1");
  const made = await rig.zor(
    ...[
      "create",
      "phy",
      "zt/m1",
      "--device",
      "eth1",
      "--mode",
      "macvlan",
      "--mac",
      "02:00:00:00:77:07",
      "--lan",
      "lan1",
    ],
  );
  if (made.code !== 0) return expect(made.stderr).toContain("the kernel of this host has no macvlan interfaces");
  await rig.shell("pc", "ip link set eth0 down; ip link set eth0 address 02:00:00:00:77:07; ip link set eth0 up");
  await reached();
  await rig.agent.end("SIGKILL");
  await rig.startAgent();
  await rig.answers();
  await reached();
  await rig.ok("delete", "phy", "zt/m1", "--yes");
  await eventually(async () => expect(await portrait(rig.host, "eth1")).toEqual(before));
});
