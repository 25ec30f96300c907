import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Switch } from "../../../agent/network/ovs/switch.js";
import type { ObservedPort } from "../../../agent/network/observed-lan.js";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { toBondName, toPortName } from "../../../agent/network/names.js";
import { BondLacp, BondMode, PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { createLog } from "../../../lib/log.js";
import { eventually } from "../../helpers/eventually.js";
import { freshName } from "../../helpers/run-tag.js";
import { NetworkFixture, ping } from "../../integration/network/fixture.js";
import { ReachRig } from "../../integration/reach/rig.js";

let net: NetworkFixture;
const lan = { id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false };
type Bond = NonNullable<Parameters<typeof PortSettings.fromPartial>[0]["bond"]>;

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan(lan);
  net.lans.flows.settle();
});

afterAll(() => net.destroy());

/** Two interfaces of one guest in this namespace of it; resolves to that. */
async function makeGuest(uid: string): Promise<string> {
  const netns = await net.ports.ensureContainerNetns(uid);
  for (const nicIndex of [0, 1]) {
    const mac = `02:00:00:bb:00:0${nicIndex}`;
    await net.ports.ensureVeth({ instanceUid: uid, nicIndex, nic: `eth${nicIndex}`, mac, mtu: 1500, addresses: [] });
  }
  await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns });
  return netns;
}

async function plug(uid: string, nicIndex: number, bond: Bond | undefined): Promise<void> {
  const settings = settlePort(PortSettings.fromPartial({ bond, vlan: { tag: 10 } }));
  const primary = bond?.primary === undefined ? "" : toPortName(uid, Number(bond.primary.slice(3)));
  await net.lans.plug({
    lan: "lan1",
    port: toPortName(uid, nicIndex),
    endpoint: `hosts/t/instances/${uid}/nics/eth${nicIndex}`,
    settings,
    ...(bond === undefined ? {} : { bond: { port: toBondName(uid, "lan1", bond.name ?? ""), primary } }),
  });
}

function member(uid: string, nicIndex: number): ObservedPort | undefined {
  return net.lans.find("lan1")?.ports.find(({ port }) => port === toPortName(uid, nicIndex));
}

async function peer(): Promise<void> {
  const { netns, port } = await net.plugContainer("ccc", "lan1", "10.80.0.99/24");
  await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns });
  const settings = settlePort(PortSettings.fromPartial({ vlan: { tag: 10 } }));
  await net.lans.plug({ lan: "lan1", port, endpoint: "hosts/t/instances/ccc/nics/eth0", settings });
}

test("an active-backup bond goes on over its other member, and comes back to the primary", {
  timeout: 240_000,
}, async () => {
  await peer();
  const netns = await makeGuest("aaa");
  onTestFinished(() => net.lans.unplug(toPortName("aaa", 0)));
  onTestFinished(() => net.lans.unplug(toPortName("aaa", 1)));
  const bond = { name: "bond0", primary: "eth0" };
  // The guest has one address, which is where it sends from: the interface that has carrier.
  const speakFrom = async (nic: string) => {
    await run("ip", ["-n", netns, "address", "flush", "dev", nic === "eth0" ? "eth1" : "eth0"]);
    await run("ip", ["-n", netns, "address", "replace", "10.80.0.1/24", "dev", nic]);
    await eventually(() => run("ping", ["-c", "1", "-W", "1", "-n", "10.80.0.99"], { netns }));
  };
  await plug("aaa", 0, bond);
  // One member alone works.
  expect(member("aaa", 0)?.bond).toMatchObject({ name: "bond0", enabled: true, active: true });
  await speakFrom("eth0");
  await plug("aaa", 1, bond);
  const states = () => [0, 1].map((index) => [member("aaa", index)?.bond?.active, member("aaa", index)?.bond?.enabled]);
  await eventually(async () =>
    expect(states()).toEqual([
      [true, true],
      [false, true],
    ]),
  );
  expect(await net.vsctl("get", "Port", toBondName("aaa", "lan1", "bond0"), "tag")).toBe("10");
  expect(net.lans.find("lan1")?.reason).toBe("");
  await speakFrom("eth0");
  await run("ip", ["-n", netns, "link", "set", "eth0", "down"]);
  await eventually(async () =>
    expect(states()).toEqual([
      [false, false],
      [true, true],
    ]),
  );
  await speakFrom("eth1");
  await run("ip", ["-n", netns, "link", "set", "eth0", "up"]);
  await eventually(async () => expect(states()[0]).toEqual([true, true]));
  await speakFrom("eth0");

  // What somebody does to the bond is put right, and it holds over a restart of agent and switch.
  await net.vsctl("set", "Port", toBondName("aaa", "lan1", "bond0"), "bond_mode=balance-slb");
  const mode = () => net.vsctl("get", "Port", toBondName("aaa", "lan1", "bond0"), "bond_mode");
  await eventually(async () => expect(await mode()).toBe("active-backup"));
  await net.reopen();
  await net.lans.ensureLan(lan);
  await peer();
  for (const index of [0, 1]) await plug("aaa", index, bond);
  const { "ovs-vswitchd": daemon } = await net.sw.processes();
  if (daemon !== undefined) process.kill(daemon.pid, "SIGKILL");
  await eventually(async () => expect((await net.sw.processes())["ovs-vswitchd"]?.pid).not.toBe(daemon?.pid));
  await eventually(async () => expect(states()[0]).toEqual([true, true]));
  await ping(netns, "10.80.0.99");

  // A change of both is one after the other, and what is out of the bond is a port by itself.
  const slb = { name: "bond0", mode: BondMode.BOND_MODE_BALANCE_SLB };
  for (const index of [0, 1]) await plug("aaa", index, slb);
  expect(await mode()).toBe("balance-slb");
  await plug("aaa", 1, undefined);
  expect(await net.vsctl("get", "Port", toPortName("aaa", 1), "bond_mode")).toBe("[]");
  expect(member("aaa", 1)?.bond).toBeUndefined();
  await net.lans.unplug(toPortName("aaa", 0));
  expect(await net.vsctl("--bare", "--columns=name", "find", "Port", "bond_mode=balance-slb")).toBe("");
});

test("LACP: a partner in the guest is seen, and without one it falls back or not", { timeout: 240_000 }, async () => {
  await makeGuest("bbb");
  onTestFinished(() => net.lans.unplug(toPortName("bbb", 0)));
  onTestFinished(() => net.lans.unplug(toPortName("bbb", 1)));
  const bond = { name: "up", mode: BondMode.BOND_MODE_BALANCE_TCP, lacp: BondLacp.BOND_LACP_ACTIVE, lacpFast: true };
  for (const index of [0, 1]) await plug("bbb", index, bond);
  const members = () => [0, 1].map((index) => member("bbb", index)?.bond);
  await eventually(async () => expect(members().map((each) => each?.enabled)).toEqual([false, false]));
  const fallback = { ...bond, lacpFallback: true };
  for (const index of [0, 1]) await plug("bbb", index, fallback);
  await eventually(async () => expect(members().some((each) => each?.enabled)).toBe(true));
  expect(members()[0]).toMatchObject({ lacpStatus: "defaulted", lacpPartner: "" });

  // The guest's own switch, which has both interfaces as a bond.
  const stateDirectory = await mkdtemp(join(tmpdir(), "zt-bond-"));
  const netns = freshName();
  const log = createLog("test", { write: () => undefined });
  const { signal } = new AbortController();
  const guest = await Switch.open({ stateDirectory, agentUid: netns, netns, log, signal });
  onTestFinished(async () => {
    await guest.destroy();
    await rm(stateDirectory, { recursive: true, force: true });
  });
  const inside = await net.ports.ensureContainerNetns("bbb");
  for (const nic of ["eth0", "eth1"]) {
    await run("ip", ["-n", inside, "link", "set", nic, "netns", netns]);
    await run("ip", ["-n", netns, "link", "set", nic, "up"]);
  }
  const db = `--db=unix:${join(stateDirectory, "ovs", "db.sock")}`;
  await run("ovs-vsctl", [
    ...[db, "add-br", "br0", "--", "set", "Bridge", "br0", `datapath_type=${guest.datapath}`],
    ...["--", "add-bond", "br0", "b0", "eth0", "eth1", "lacp=active", "bond_mode=balance-tcp"],
    ...["other_config:lacp-time=fast"],
  ]);
  await eventually(async () =>
    expect(members()).toEqual(
      [0, 1].map(() =>
        expect.objectContaining({
          enabled: true,
          lacpStatus: "current",
          lacpAttached: true,
          lacpPartner: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
        }),
      ),
    ),
  );
  await run("ip", ["-n", netns, "address", "add", "10.80.0.2/24", "dev", "br0"]);
  await run("ip", ["-n", netns, "link", "set", "br0", "up"]);
  await ping(netns, "10.80.0.99");
  await run("ip", ["-n", netns, "link", "set", "eth0", "down"]);
  await eventually(async () => expect(members().map((each) => each?.enabled)).toEqual([false, true]));
  await ping(netns, "10.80.0.99");
});

test("a bond is said with zor, its members agree, and it is shown and kept when the agent was killed", {
  timeout: 480_000,
}, async () => {
  const rig = await ReachRig.start();
  onTestFinished(async () => await rig[Symbol.asyncDispose]());
  const zor = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await rig.zor(...argv);
    if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
    return stdout;
  };
  await rig.createLan("lan1");
  const nics = ["addr=10.80.0.1/24", ""].flatMap((address) => [
    "--nic",
    ["lan=lan1,bond=up,bond-primary=eth0,guard", address].filter((part) => part !== "").join(","),
  ]);
  await zor("create", "instance", "zt/c1", "--rootfs", "micro", ...nics);
  await zor("create", "instance", "zt/c2", "--rootfs", "micro", "--nic", "lan=lan1,addr=10.80.0.2/24");
  const answers = async (): Promise<boolean> =>
    (await rig.zor("exec", "zt/c1", "--", "ping", "-c", "2", "-W", "1", "10.80.0.2")).code === 0;
  const described = () => zor("describe", "lan", "zt/lan1");
  // Ports are in no order.
  const states = async () => {
    const found = (await described()).matchAll(/zt\/c1\/(eth\d) [^/]*?bond up: (\w+)/g);
    return Object.fromEntries([...found].map(([, nic, state]) => [nic, state]));
  };
  // The guest has no bond of its own: it speaks where the bond listens.
  await eventually(async () => expect(await states()).toEqual({ eth0: "active", eth1: "ready" }));
  await eventually(async () => expect(await answers()).toBe(true));
  const refused = await rig.zor("set", "instance", "zt/c1", "--port", "eth0,bond=up,vlan=3");
  expect(refused.stderr).toMatch(/nics\[1\]\.port_settings\.\w+: is not as that of eth0/);
  const both = ["eth0", "eth1"].flatMap((nic) => ["--port", `${nic},bond=up,bond-primary=eth1`]);
  await zor("set", "instance", "zt/c1", ...both);
  await eventually(async () => expect(await states()).toEqual({ eth0: "ready", eth1: "active" }));
  await rig.agent.end("SIGKILL");
  await rig.agent.start();
  await rig.ready();
  await eventually(async () => expect(await states()).toEqual({ eth0: "ready", eth1: "active" }));
  expect(await described()).toContain("bond up active-backup, eth1 first");
});
