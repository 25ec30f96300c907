import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { NetworkOwner } from "../../../agent/network/instance-networks.js";
import { LanNetworks } from "../../../agent/network/lan-networks.js";
import { toPortName } from "../../../agent/network/names.js";
import { Forwarder } from "../../../agent/network/wires/forwarder.js";
import type { WireConfig } from "../../../agent/network/wires/wire-ends.js";
import { Wires } from "../../../agent/network/wires/wires.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { eventually } from "../../helpers/eventually.js";
import { crossFrames, type Place } from "../../helpers/raw-frames.js";
import { NetworkFixture, ping } from "./fixture.js";

const { signal } = new AbortController();
const mtu = 9000;
let net: NetworkFixture;
let wires: Wires;
let networks: LanNetworks;
let r1: NetworkOwner;
let r2: NetworkOwner;
let at1: Place;
let at2: Place;

const nicOf = ({ name }: NetworkOwner): string => `${name}/nics/eth1`;
const wire = (change: Partial<WireConfig> = {}): WireConfig => ({
  ...{ name: "hosts/t/wires/w1", uid: "w1", cut: false, keepCarrier: false, mtu },
  ...{ a: nicOf(r1), b: nicOf(r2) },
  ...change,
});

beforeAll(async () => {
  net = await NetworkFixture.open();
});
afterAll(() => net.destroy());

/** What a start of the agent makes. */
function open(): void {
  const { netns, log, ports, lans } = net;
  wires = new Wires({
    forwarder: new Forwarder({ netns, log }),
    setCarrier: (port, up) => ports.setCarrier(port, up),
    log,
  });
  networks = new LanNetworks({ netns, ports, lans, source: { findMtu: () => undefined }, wires });
}

function owner(id: string, last: number): NetworkOwner {
  const nics = [Nic.fromPartial({ name: "eth1", mac: `02:00:00:00:01:0${last}`, addresses: [`10.81.0.${last}/24`] })];
  return { name: `hosts/t/instances/${id}`, uid: id, model: "join", nics };
}

async function start(who: NetworkOwner): Promise<Place> {
  const { netns } = await networks.prepare(who, { signal });
  // Only what the test sends is on the wire.
  await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns });
  return { netns, device: "eth1" };
}

beforeEach(async () => {
  open();
  await wires.settle();
  r1 = owner("r1", 1);
  r2 = owner("r2", 2);
  await wires.ensure(wire());
  at1 = await start(r1);
  at2 = await start(r2);
});
afterEach(async () => {
  await wires.remove("w1");
  for (const who of [r1, r2]) await networks.release(who, { signal });
  await wires.close();
});

/** A frame from everybody's address, with content of its own up to a size. */
function frame(destination: string, head: string, bytes: number): Buffer {
  const begin = Buffer.from(`${destination}0200000000aa${head}`, "hex");
  return Buffer.concat([begin, randomBytes(bytes - begin.length)]);
}

const frames = [
  ["LLDP", frame("0180c200000e", "88cc", 60)],
  ["LACP", frame("0180c2000002", "8809", 124)],
  ["STP", frame("0180c2000000", "0026424203", 60)],
  ["802.1X", frame("0180c2000003", "888e", 60)],
  ["pause", frame("0180c2000001", "8808", 60)],
  ["MACsec", frame("ffffffffffff", "88e5", 1514)],
  ["a tag on a full packet", frame("ffffffffffff", "810000640800", mtu + 18)],
  ["two tags", frame("ffffffffffff", "88a80064810000c80800", 1522)],
  ["jumbo", frame("ffffffffffff", "0800", mtu + 14)],
] as const;

async function expectFrames(): Promise<void> {
  const all = frames.map(([, each]) => each);
  // Devices of guests send more than their MTU only when they are told so.
  for (const { netns, device } of [at1, at2])
    await run("ip", ["-n", netns, "link", "set", device, "mtu", String(mtu + 8)]);
  const wanted = [[...all.keys()]];
  expect(await crossFrames({ from: at1, to: [at2], frames: all, wanted })).toEqual(wanted);
  expect(await crossFrames({ from: at2, to: [at1], frames: all, wanted })).toEqual(wanted);
}

async function expectCarrier({ netns, device }: Place, up: boolean): Promise<void> {
  await eventually(async () => {
    const { stdout } = await run("ip", ["-n", netns, "-o", "link", "show", "dev", device]);
    expect(stdout.includes("LOWER_UP")).toBe(up);
  });
}

test("everything passes both ways", async () => {
  await ping(at1.netns, "10.81.0.2");
  await expectFrames();
  expect(wires.observe("w1")).toEqual({
    a: { port: toPortName("r1", 0), carrier: true, mtu },
    b: { port: toPortName("r2", 0), carrier: true, mtu },
    fault: "",
  });
});

test("the end that is left loses carrier and gets it back, whichever stops", async () => {
  for (const [stopped, left, gone] of [
    [r1, at2, at1],
    [r2, at1, at2],
  ] as const) {
    await networks.release(stopped, { signal });
    await expectCarrier(left, false);
    expect(wires.observe("w1")?.fault).toContain(nicOf(stopped));
    await start(stopped);
    await expectCarrier(left, true);
    await expectCarrier(gone, true);
    await ping(at1.netns, "10.81.0.2");
  }
});

test("a cut takes carrier from both ends, unless they keep it", async () => {
  await wires.ensure(wire({ cut: true }));
  await expectCarrier(at1, false);
  await expectCarrier(at2, false);
  await wires.ensure(wire({ cut: true, keepCarrier: true }));
  await expectCarrier(at1, true);
  await expectCarrier(at2, true);
  const some = frames.slice(0, 3).map(([, each]) => each);
  expect(await crossFrames({ from: at1, to: [at2], frames: some, wanted: [[]] })).toEqual([[]]);
  await wires.ensure(wire());
  await ping(at1.netns, "10.81.0.2");
});

test("an end that is pulled out loses carrier, and keeps its interface, MAC and addresses when it is plugged in again", async () => {
  const look = async (): Promise<string> =>
    (await run("ip", ["-n", at2.netns, "-br", "-4", "address"])).stdout.replaceAll(/ (UP|LOWERLAYERDOWN|DOWN) /g, "");
  const before = await look();
  await wires.ensure(wire({ b: "" }));
  await expectCarrier(at1, false);
  await expectCarrier(at2, false);
  await wires.ensure(wire());
  await ping(at1.netns, "10.81.0.2");
  expect(await look()).toBe(before);
});

test("filters that somebody else removes are made again, which is told", async () => {
  const { netns } = net;
  const told: string[] = [];
  wires.onChange((_uid, news) => told.push(news));
  await run("tc", ["-n", netns, "qdisc", "delete", "dev", toPortName("r1", 0), "clsact"]);
  await ping(at1.netns, "10.81.0.2");
  await run("tc", ["-n", netns, "filter", "delete", "dev", toPortName("r2", 0), "ingress"]);
  await ping(at1.netns, "10.81.0.2");
  await eventually(() => expect(told).toContain("healed"));
  expect(told).not.toContain("faulty");
});

test("frames pass while there is no agent, and the next one finds the wire as it is", async () => {
  await wires.close();
  await ping(at1.netns, "10.81.0.2");
  const flaps = async (): Promise<string> =>
    (await run("cat", ["/sys/class/net/eth1/carrier_changes"], { netns: at2.netns })).stdout;
  const before = await flaps();
  open();
  await wires.ensure(wire());
  await networks.prepare(r2, { signal });
  await networks.prepare(r1, { signal });
  await networks.settle();
  expect(await flaps()).toBe(before);
  await ping(at1.netns, "10.81.0.2");
  await eventually(() => expect(wires.observe("w1")?.fault).toBe(""));
});
