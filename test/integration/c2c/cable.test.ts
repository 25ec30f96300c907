import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { endProcess, findIdentity, isAlive } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { TwoHosts, underlayDevice } from "./two-hosts.js";
import { endSpec } from "../../helpers/engine-words.js";
import { killed } from "../../helpers/killed.js";

async function twoHosts(): Promise<TwoHosts> {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  return hosts;
}

test("frames cross a cable between two hosts, and both ends say so", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  await hosts.ping();
  const end = hosts.a.end();
  expect(end.protection).toContain("TLSv1.3");
  expect(end.mtuProven).toBeGreaterThanOrEqual(1500);
  expect(end.rttMs).toBeGreaterThan(0);
  expect(end.paired).toBe(true);
  await eventually(() => expect(hosts.a.end().rxFrames).toBeGreaterThanOrEqual(3));
});

test("an engine whose address is not there yet starts, and takes links once it is", async () => {
  const hosts = await twoHosts();
  const address = `${hosts.a.underlayIp}/24`;
  await hosts.a.cables.destroy();
  await hosts.a.underlay.ip("addr", "del", address, "dev", underlayDevice);
  await hosts.a.open();
  const specs = hosts.specs();
  await hosts.a.cables.ensureEnd(endSpec(specs.a));
  await hosts.b.cables.ensureEnd(endSpec(specs.b));
  await eventually(() => expect(hosts.b.end().phase).toBe("down"));
  await hosts.a.underlay.ip("addr", "add", address, "dev", underlayDevice);
  await hosts.active();
  await hosts.ping();
});

test("full-size frames cross an underlay whose MTU is smaller than they are", async () => {
  const hosts = await twoHosts();
  for (const host of hosts.hosts) await host.underlay.ip("link", "set", underlayDevice, "mtu", "1280");
  await hosts.connect();
  await hosts.ping({ size: 1472, count: 5 });
});

test("a cable comes back by itself after its engine was killed, with no new ticket", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  for (const [host, peer] of [
    [hosts.a, hosts.b],
    [hosts.b, hosts.a],
  ] as const) {
    const { enginePid } = host.cables;
    const { connects } = peer.end();
    await killed(enginePid);
    await eventually(() => expect(peer.end().connects).toBe(connects + 1));
    expect(host.cables.enginePid).not.toBe(enginePid);
    await hosts.active();
    await hosts.ping();
  }
});

test("of two live copies of a host the second leaves the cable alone, says why, and takes it when the first has ended", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  await eventually(() => expect(hosts.b.end().paired).toBe(true));
  const copy = await hosts.copyOfB();
  const refusal =
    /two live hosts have one identity: the one at (\S+) is connected, the one at 10\.201\.0\.3 is refused; stop/;
  await eventually(() => expect(copy.end().reason).toMatch(refusal));
  expect(refusal.exec(copy.end().reason)?.[1]).toBe(hosts.a.end().remoteAddress);
  await hosts.ping();
  expect(hosts.a.end().connects).toBe(1);
  await hosts.b.cables.destroy();
  await eventually(() => expect(copy.end().phase).toBe("active"));
  // The other engine tells of it at a time of its own.
  await eventually(() => expect(hosts.a.end().connects).toBe(2));
});

test("a restart of the agent leaves connection and engine as they are", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  const before = hosts.hosts.map((host) => ({ ...host.end(), pid: host.cables.enginePid }));
  for (const host of hosts.hosts) {
    await host.close();
    await hosts.ping();
    await host.open();
  }
  await hosts.active();
  for (const [index, host] of hosts.hosts.entries()) {
    expect(host.cables.enginePid).toBe(before[index]?.pid);
    const { localAddress, remoteAddress, connects, tap } = host.end();
    expect({ localAddress, remoteAddress, connects, tap }).toEqual({
      localAddress: before[index]?.localAddress,
      remoteAddress: before[index]?.remoteAddress,
      connects: 1,
      tap: before[index]?.tap,
    });
  }
});

test("a cut underlay is noticed, told with its reason, and survived", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  await hosts.a.underlay.ip("link", "set", underlayDevice, "down");
  for (const host of hosts.hosts) {
    await eventually(() => expect(host.end()).toMatchObject({ phase: "down", paired: true, needsTicket: false }));
    expect(host.end().reason).not.toBe("");
  }
  await eventually(() => expect(hosts.b.end().nextTryMs).toBeGreaterThan(Date.now()));
  await hosts.a.underlay.ip("link", "set", underlayDevice, "up");
  await hosts.active();
  await hosts.ping();
});

test("a short cut does not break the connection", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  await hosts.a.underlay.ip("link", "set", underlayDevice, "down");
  await hosts.a.underlay.ip("link", "set", underlayDevice, "up");
  await hosts.ping();
  await hosts.active();
  expect(hosts.hosts.map((host) => host.end().connects)).toEqual([1, 1]);
});

test("a deleted link is gone at both ends, with its tap", async () => {
  const hosts = await twoHosts();
  const specs = await hosts.connect();
  const { name } = hosts.a.end().tap;
  await hosts.a.cables.deleteEnd(specs.a.link, "another-uid");
  expect(hosts.a.cables.list()).toHaveLength(1);
  await hosts.a.cables.deleteEnd(specs.a.link, specs.a.linkUid);
  expect(hosts.a.cables.list()).toEqual([]);
  await eventually(async () => {
    await expect(hosts.a.lan.ip("link", "show", name)).rejects.toThrow(/does not exist/);
  });
  await eventually(() => expect(hosts.b.end()).toMatchObject({ phase: "down" }));
  expect(hosts.b.end().reason).toMatch(/deleted|no listener end/);
});

test("a port of a link that was removed while no agent ran is unplugged by the next agent", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  hosts.a.plugged.set("zcleft", "links/gone").set("eth9", "hosts/t/instances/vm1/nics/eth0");
  await hosts.a.close();
  await hosts.a.open();
  await eventually(() => expect([...hosts.a.plugged.keys()]).toEqual([hosts.a.end().tap.name, "eth9"]));
  await hosts.active();
});

test("a lan that goes away degrades the cable at both ends until it is back", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  hosts.a.setLan(false);
  await eventually(() => expect(hosts.a.end()).toMatchObject({ phase: "degraded", reason: "lan lan1 does not exist" }));
  await eventually(() => expect(hosts.b.end().phase).toBe("degraded"));
  expect(hosts.b.end().reason).toContain("peer says");
  hosts.a.setLan(true);
  await hosts.active();
});

test("a tap that somebody deletes is made anew and plugged again", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  const { name, generation } = hosts.a.end().tap;
  await hosts.a.lan.ip("link", "delete", name);
  await eventually(() => expect(hosts.a.end().tap.generation).not.toBe(generation));
  await hosts.active();
  await hosts.ping();
});

test("a second engine for the same directory does not start", async () => {
  const hosts = await twoHosts();
  const { enginePid } = hosts.a.cables;
  await hosts.a.startAnotherEngine(3);
  expect(hosts.a.cables.enginePid).toBe(enginePid);
  expect(await findIdentity(enginePid)).toBeDefined();
});

test("destroying the manager ends the engine and its taps; the ends come back with the next", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  const identity = await findIdentity(hosts.b.cables.enginePid);
  if (identity === undefined) throw new Error("the engine does not run");
  await hosts.b.cables.destroy();
  expect(await isAlive(identity)).toBe(false);
  await eventually(() => expect(hosts.a.end().reason).toContain("the host's cable engine is ending"));
  await hosts.b.open();
  await hosts.active();
  await endProcess(identity, 0);
});

test("a TCP stream crosses in super-frames, with segmentation left to the far end", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  const server = run("iperf3", ["-s", "-1", "-J"], { netns: hosts.a.lan.name, timeoutMs: 60_000 });
  const megabytes = 64;
  await eventually(() => run("iperf3", ["-c", hosts.a.lanIp, "-n", `${megabytes}M`], { netns: hosts.b.lan.name }));
  const { end } = JSON.parse((await server).stdout) as { end: { sum_received: { bytes: number } } };
  // The client stops when it has sent all; the last of it may still be under way when the server counts.
  expect(end.sum_received.bytes).toBeGreaterThan((megabytes / 4) * 1024 * 1024);
  await eventually(() => expect(hosts.b.end().txBytes).toBeGreaterThan(end.sum_received.bytes));
  const { txBytes, txFrames } = hosts.b.end();
  expect(txBytes / txFrames).toBeGreaterThan(2 * 1514);
});

test("a damaged identity is set aside and replaced, and the running engine with it", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  const { enginePid } = hosts.b.cables;
  const before = hosts.b.cables.identity().keySha256;
  await hosts.b.close();
  await writeFile(join(hosts.b.stateDirectory, "cable", "key.pem"), "no key");
  await hosts.b.open();
  expect(hosts.b.cables.enginePid).not.toBe(enginePid);
  expect(hosts.b.cables.identity().keySha256).not.toEqual(before);
  // The other host knows the old key only, until the hub tells it the new one with a new ticket.
  await eventually(() => expect(hosts.b.end().reason).toContain("no listener end of this link"));
  await hosts.connect(hosts.specs());
  await hosts.ping();
});
