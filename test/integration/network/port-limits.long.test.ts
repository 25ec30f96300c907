import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { toPortName } from "../../../agent/network/names.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { eventually } from "../../helpers/eventually.js";
import { framesOf } from "../../helpers/guest-frames.js";
import { killed } from "../../helpers/killed.js";
import { crossFrames } from "../../helpers/raw-frames.js";
import { NetworkFixture, ping } from "./fixture.js";

let net: NetworkFixture;
const places = new Map<string, { netns: string; device: string }>();
const lan = { id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false };
const [a, b] = [
  { mac: "020000616161", ipv4: "10.80.0.97", ipv6: `fd80${"0".repeat(27)}1` },
  { mac: "020000626262", ipv4: "10.80.0.98", ipv6: `fd80${"0".repeat(27)}2` },
];
const own = { mac: "02:00:00:61:61:61", addresses: ["10.80.0.97/24"] };

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan(lan);
  net.lans.flows.settle();
  for (const uid of ["aaa", "bbb"]) {
    const { netns } = await net.plugContainer(uid, "lan1", `10.80.0.${uid.charCodeAt(0)}/24`);
    places.set(uid, { netns, device: "eth0" });
  }
});

afterAll(() => net.destroy());

/** Gives a container's port these settings, as a change of its NIC does. */
async function set(uid: string, wanted: Parameters<typeof PortSettings.fromPartial>[0]): Promise<void> {
  const endpoint = `hosts/t/instances/${uid}/nics/eth0`;
  const settings = settlePort(PortSettings.fromPartial(wanted));
  await net.lans.plug({ lan: "lan1", port: toPortName(uid, 0), endpoint, settings, own });
}

/** Which of these frames, all sent by the first container, come to the second. */
async function cross(frames: readonly Buffer[], wanted: readonly number[], seconds?: number): Promise<number[]> {
  const [from, to] = [places.get("aaa"), places.get("bbb")];
  if (from === undefined || to === undefined) throw new Error("no containers");
  const [came = []] = await crossFrames({ from, to: [to], frames, wanted: [wanted], seconds });
  return came;
}

/** Frames to an address, so many, each another one. */
function numbered(to: string, count: number, bytes = 60): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    const frame = Buffer.alloc(bytes);
    frame.write(`${to}${a.mac}88b5`, "hex");
    frame.writeUInt32BE(index, 14);
    return frame;
  });
}

async function ofctl(command: string): Promise<string> {
  const bridge = await net.vsctl("list-br");
  const target = `unix:${join(net.stateDirectory, "ovs", `${bridge}.mgmt`)}`;
  return (await run("ovs-ofctl", ["-O", "OpenFlow14", command, target])).stdout;
}

/** Frames that meters have dropped. */
async function dropped(): Promise<number> {
  const stats = await ofctl("meter-stats");
  return [...stats.matchAll(/^0: packet_count:(\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function expectDropped(min: number): Promise<void> {
  await eventually(async () => expect(await dropped()).toBeGreaterThanOrEqual(min));
}

test("a rate towards a guest is the kernel's to keep, is put right, outlives the agent, and goes with the settings", async () => {
  const told: string[] = [];
  net.lans.onPortChange(({ fault }) => told.push(fault));
  const port = toPortName("aaa", 0);
  const queue = async () => (await run("tc", ["-n", net.netns, "qdisc", "show", "dev", port, "root"])).stdout;
  await set("aaa", { rateOut: { rateBps: 20_000_000n } });
  expect(await queue()).toMatch(/^qdisc tbf 5a6f: root .*rate 20Mbit/);
  // The kernel may not have been listened to yet when the first is taken off.
  await eventually(async () => {
    await run("tc", ["-n", net.netns, "qdisc", "delete", "dev", port, "root"], { acceptedExitCodes: [0, 2] });
    expect(told).toContain("its rate limit (rate_out) was taken off at the host");
  });
  await eventually(async () => expect(await queue()).toContain("rate 20Mbit"));
  await eventually(() => expect(net.lans.find("lan1")?.reason).toBe(""));
  // Refused by the lan, the change leaves the rate as it was.
  await set("bbb", { mirrorTo: ["span1"] });
  const refused = set("aaa", { mirrorTo: ["span1"], rateOut: { rateBps: 1_000_000n } });
  await expect(refused).rejects.toThrow(/mirror span1 come out of/);
  expect(await queue()).toContain("rate 20Mbit");
  await set("bbb", {});
  await net.reopen();
  await net.lans.ensureLan(lan);
  net.lans.flows.settle();
  await set("aaa", {});
  expect(await queue()).not.toContain("tbf");
  await set("bbb", {});
});

test("a guarded port sends from its own addresses only, tagged or not, also when the switch was started again", async () => {
  const liar = { ...a, ipv4: b.ipv4, ipv6: b.ipv6 };
  const [lies, stranger] = [framesOf(liar), framesOf({ ...a, mac: b.mac })];
  const behind = (tags: string) => ({ own: framesOf(a, tags), lies: framesOf(liar, tags) });
  const [once, twice] = [behind("81000007"), behind("88a8000781000008")];
  const { arp, dhcp, datagram, datagram6, detection, advertisement, other } = framesOf(a);
  const truths = [arp(), dhcp, datagram, datagram6, detection, advertisement, other];
  const good = [...truths, once.own.datagram, twice.own.datagram, once.own.arp()];
  const spoofed = [lies.arp(), arp(b.mac), lies.datagram, lies.datagram6, lies.advertisement];
  const tagged = [once.lies.datagram, twice.lies.datagram, once.lies.arp(), twice.lies.datagram6];
  const frames = [...good, ...spoofed, ...tagged, stranger.datagram, stranger.other, stranger.arp()];
  const all = [...frames.keys()];
  expect(await cross(frames, all)).toEqual(all);
  await set("aaa", { addressGuard: { addresses: ["fd80::1"] } });
  const wanted = [...good.keys()];
  expect(await cross(frames, wanted)).toEqual(wanted);
  const { "ovs-vswitchd": vswitchd } = await net.sw.processes();
  if (vswitchd === undefined) throw new Error("no vswitchd");
  await killed(vswitchd.pid);
  // Frames of both kinds are lost until it is there again.
  await eventually(async () => expect(await cross(frames, wanted, 3)).toEqual(wanted));
  await set("aaa", {});
  expect(await cross(frames, all)).toEqual(all);
  expect(await ofctl("dump-flows")).not.toContain("cookie=0x5a");
});

test("what a port sends beyond its rate and its storm limits is dropped and counted; unicasts to who is known are not", async () => {
  await set("aaa", { stormControl: { broadcastPerSecond: 10, unknownUnicastPerSecond: 10 } });
  const burst = 300;
  expect((await cross(numbered("ffffffffffff", burst), [0])).length).toBeLessThan(burst);
  await expectDropped(1);
  const stray = await dropped();
  await cross(numbered("02000000dead", burst), [0]);
  await expectDropped(stray + 1);
  // Who has sent is known.
  await ping(places.get("bbb")?.netns ?? "", a.ipv4);
  const unicasts = numbered(b.mac, 100);
  const all = [...unicasts.keys()];
  expect(await cross(unicasts, all)).toEqual(all);
  await set("aaa", { rateIn: { rateBps: 8000n } });
  expect((await cross(numbered(b.mac, burst, 1400), [0])).length).toBeLessThan(burst);
  await expectDropped(1);
  await set("aaa", {});
  expect(await ofctl("dump-meters")).not.toContain("meter=");
});
