import { randomBytes, randomUUID } from "node:crypto";
import { closeSync, readSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTaps } from "../../../agent/drivers/qemu/tap.js";
import { run } from "../../../agent/host/exec.js";
import { CableManager } from "../../../agent/kinds/link-end/cable-manager.js";
import type { Hop } from "../../../agent/kinds/link-end/diagnosis.js";
import { LocalLinks } from "../../../agent/kinds/link-end/local-links.js";
import { listLinks } from "../../../agent/network/ip.js";
import { toBridgeName } from "../../../agent/network/names.js";
import { endSpec, readBox, readEnd } from "../../helpers/engine-words.js";
import { eventually } from "../../helpers/eventually.js";
import { crossFrames, hearEthertype, type Place } from "../../helpers/raw-frames.js";
import { NetworkFixture } from "./fixture.js";

const mtu = 1500;
/** What two guests have to raise their own MTU by to send and take more than one tag; devices of ours have it without. */
const guestHeadroom = 64;

/** Two hosts, whose lans are one broadcast domain: a cable joins lan1 of both, a box joins lan1 and lan2 of the first. */
let a: NetworkFixture;
let b: NetworkFixture;
let cables: readonly [CableManager, CableManager];
let box: LocalLinks;
/** A container in lan1, and what should hear it: one beside it, one behind the box, one behind the cable. */
let sender: Place;
let hearers: readonly Place[];

beforeAll(async () => {
  a = await NetworkFixture.open();
  b = await NetworkFixture.open();
  for (const [net, lan] of [
    [a, "lan1"],
    [a, "lan2"],
    [b, "lan1"],
  ] as const) {
    await net.lans.ensureLan({ id: lan, uid: randomUUID(), mtu, rstp: false });
  }
  const place = async (net: NetworkFixture, uid: string, lan: string): Promise<Place> => {
    const { netns } = await net.plugContainer(uid, lan, `10.79.0.${uid.charCodeAt(0)}/24`);
    // Only what the test sends is on the wire.
    await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns });
    await run("ip", ["-n", netns, "link", "set", "eth0", "mtu", String(mtu + guestHeadroom)]);
    return { netns, device: "eth0" };
  };
  sender = await place(a, "aaa", "lan1");
  hearers = [await place(a, "bbb", "lan1"), await place(a, "ccc", "lan2"), await place(b, "ddd", "lan1")];
  cables = [await openCables(a), await openCables(b)];
  box = new LocalLinks({ stateDirectory: a.stateDirectory, netns: a.netns, plugger: a.lans, log: a.log });
  await box.ready();
  await join();
});

afterAll(async () => {
  await box.close();
  for (const one of cables) await one.destroy();
  await a.destroy();
  await b.destroy();
});

async function openCables(net: NetworkFixture): Promise<CableManager> {
  const { stateDirectory, netns, lans: plugger, log } = net;
  const options = { stateDirectory, netns, plugger, log, cableListen: "127.0.0.1:0" };
  return CableManager.open(options, new AbortController().signal);
}

async function join(): Promise<void> {
  const [left, right] = cables;
  const [keyA, keyB] = cables.map((one) => one.identity().keySha256.toString("hex"));
  const link = { link: "links/far", linkUid: randomUUID(), lan: "lan1", encryption: "tls" } as const;
  const ticket = { ticket: randomBytes(32).toString("hex"), ticketTtlSeconds: 60 };
  await left.ensureEnd(endSpec({ ...link, ...ticket, role: "listener", peerAddresses: [], peerKeySha256: keyB ?? "" }));
  const peerAddresses = [`127.0.0.1:${left.identity().port}`];
  await right.ensureEnd(endSpec({ ...link, ...ticket, role: "dialer", peerAddresses, peerKeySha256: keyA ?? "" }));
  const near = { link: "links/near", linkUid: randomUUID(), lanA: "lan1", lanB: "lan2" };
  await box.ensure({ ...near, aToB: undefined, bToA: undefined, seed: 0n, schedule: [] });
  await eventually(() => {
    expect(
      cables
        .flatMap((one) => one.list())
        .map(readEnd)
        .map(({ phase, reason }) => [phase, reason]),
    ).toEqual([
      ["active", ""],
      ["active", ""],
    ]);
    expect(box.list().map((one) => readBox(one.box).active)).toEqual([true]);
  });
}

/** A frame with what follows the addresses, and content of its own up to a size. */
function frame(destination: string, head: string, bytes: number): Buffer {
  const begin = Buffer.from(`${destination}0200000000aa${head}`, "hex");
  return Buffer.concat([begin, randomBytes(bytes - begin.length)]);
}

/** A configuration BPDU: length instead of type, then the LLC header of spanning trees. */
const spanningTree = frame("0180c2000000", "0026424203", 60);
const broadcast = "ffffffffffff";
const everywhere = (frames: readonly Buffer[]): number[][] => hearers.map(() => [...frames.keys()]);

test("frames to every address that switches reserve are forwarded: in a lan, through a box and over a cable", async () => {
  const reserved = Array.from({ length: 16 }, (_, last) => `0180c20000${last.toString(16).padStart(2, "0")}`);
  // Cisco's protocols, and an address that no switch ever kept, for comparison.
  const frames = [...reserved, "01000ccccccc", "01000ccccccd", "01000c000000"].map((to) => frame(to, "88b6", 60));
  frames.push(spanningTree);
  const wanted = everywhere(frames);
  expect(await crossFrames({ from: sender, to: hearers, frames, wanted })).toEqual(wanted);
});

/** Full-size frames: the tags and labels come in addition to what a lan carries without. */
const tagged = [
  ["no tag", "0800"],
  ["802.1Q", "81000001" + "0800"],
  ["802.1ad", "88a80001" + "0800"],
  ["0x9100", "91000001" + "0800"],
  ["0x9200", "92000001" + "0800"],
  ["QinQ", "88a80001" + "81000002" + "0800"],
  ["twice 802.1Q", "81000001" + "81000002" + "0800"],
  ["three tags", "88a80001" + "88a80002" + "81000003" + "0800"],
  ["one MPLS label", "8847" + "00010140"],
  ["four MPLS labels", "8847" + "00010040" + "00020040" + "00030040" + "00040140"],
  ["MPLS behind QinQ", "88a80001" + "81000002" + "8847" + "00010140"],
] as const;

/** The type that a frame has without tags is part of every frame. */
function fullSize(head: string, size = mtu): Buffer {
  const bytesOfHead = head.length / 2;
  const inner = head.endsWith("0800") ? 2 : 0;
  return frame(broadcast, head, 14 + size + bytesOfHead - Math.max(inner, 2));
}

test("full-size frames with tags of every kind cross a lan, a box and a cable", async () => {
  const frames = tagged.map(([, head]) => fullSize(head));
  const came = await crossFrames({ from: sender, to: hearers, frames, wanted: everywhere(frames) });
  const names = came.map((indexes) => indexes.map((index) => tagged[index]?.[0]));
  expect(names).toEqual(hearers.map(() => tagged.map(([name]) => name)));
});

test("full-size frames with tags of every kind reach a machine's tap", async () => {
  const port = await a.ports.ensureTap({ instanceUid: "vm", nicIndex: 0, mtu });
  await a.lans.plug({ lan: "lan1", port, endpoint: "hosts/t/instances/vm/nics/n0" });
  const [[tap = -1] = []] = openTaps(a.netns, [{ name: port, queues: 1 }]);
  try {
    const frames = tagged.map(([, head]) => fullSize(head));
    const lengths = frames.map(({ length }) => length).toSorted((x, y) => x - y);
    await crossFrames({ from: sender, to: [], frames, wanted: [] });
    const came: Buffer[] = [];
    const buffer = Buffer.alloc(65_536);
    // A read waits until there is a frame: there are as many as were sent, or the test takes too long.
    const virtioHeaderBytes = 10;
    while (came.length < frames.length) {
      const got = Buffer.from(buffer.subarray(virtioHeaderBytes, readSync(tap, buffer)));
      if (frames.some((one) => one.equals(got))) came.push(got);
    }
    expect(came.map(({ length }) => length).toSorted((x, y) => x - y)).toEqual(lengths);
  } finally {
    closeSync(tap);
    await a.lans.unplug(port);
  }
});

/** What both ends of the cable find when they are asked at the same time, and both lans of the box. */
async function framesHops(): Promise<Hop[]> {
  const token = randomBytes(16);
  const walks = [
    ...cables.map((one) => one.diagnose("links/far", token)),
    box.diagnose("links/near", randomBytes(16)) ?? [],
  ];
  const hops = await Promise.all(walks.map(async (walk) => Array.fromAsync(walk)));
  return hops.flat().filter(({ hop }) => hop === "frames");
}

test("doctor sends frames through both switches and the link, each way", async () => {
  const hops = await framesHops();
  expect(hops.map(({ verdict }) => verdict)).toEqual(["ok", "ok", "ok", "ok"]);
  for (const { detail } of hops)
    expect(detail).toMatch(/^\d+ test frames sent in .* came through both switches and the link$/);
});

test("doctor sees that no frames pass although the cable's own probes do", async () => {
  const [left] = cables;
  const view = left.list()[0];
  const flows = async (...argv: string[]) => run("ovs-ofctl", [...argv], { timeoutMs: 60_000 });
  const bridge = `unix:${a.stateDirectory}/ovs/${toBridgeName(a.lans.find("lan1")?.uid ?? "")}.mgmt`;
  const ofport = await a.vsctl("get", "Interface", view?.port.name ?? "", "ofport");
  // A switch that drops what comes from the cable; it says of itself that all is well.
  await flows("add-flow", bridge, `priority=100,in_port=${ofport},actions=drop`);
  try {
    const hops = await framesHops();
    expect(hops.map(({ verdict }) => verdict)).toEqual(["broken", "ok", "ok", "ok"]);
    expect(left.list().map(readEnd)).toMatchObject([{ phase: "active" }]);
  } finally {
    await flows("--strict", "del-flows", bridge, `priority=100,in_port=${ofport}`);
  }
});

test("with RSTP a lan takes part in the spanning tree and forwards the other reserved addresses", async () => {
  await a.lans.ensureLan({ id: "tree", uid: randomUUID(), mtu, rstp: true });
  const from = await a.plugContainer("eee", "tree", "10.79.1.1/24");
  const to = await a.plugContainer("fff", "tree", "10.79.1.2/24");
  const others = ["0180c2000002", "0180c2000003", "0180c200000e"].map((address) => frame(address, "88b6", 60));
  const frames = [spanningTree, ...others];
  // A port forwards once the protocol has found that there is no other bridge behind it.
  await eventually(async () => {
    const [came] = await crossFrames({
      from: { netns: from.netns, device: "eth0" },
      to: [{ netns: to.netns, device: "eth0" }],
      frames,
      wanted: [],
    });
    expect(came).toEqual([1, 2, 3]);
  });
  for (const { port } of [from, to]) await a.lans.unplug(port);
  await a.lans.deleteLan("tree");
});

test("nothing of the host takes part in the guests' network, whatever guests say", async () => {
  // ICMPv6 router advertisement with a prefix for addresses, to all nodes; the checksum is right for these bytes.
  const advertise = `
import ctypes, os, socket, struct, sys
libc = ctypes.CDLL(None)
libc.setns(os.open("/run/netns/" + sys.argv[1], os.O_RDONLY), 0)
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
source, target = socket.inet_pton(socket.AF_INET6, "fe80::aa"), socket.inet_pton(socket.AF_INET6, "ff02::1")
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 86400, 0) + socket.inet_pton(socket.AF_INET6, "fd77::")
body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
pseudo = source + target + struct.pack("!II", len(body), 58)
body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
packet = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + source + target + body
frame = bytes.fromhex("3333000000010200000000aa86dd") + packet
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("eth0", 0))
for _ in range(5):
    sock.send(frame)
`;
  await run("python3", ["-c", advertise, sender.netns]);
  for (const net of [a, b]) {
    const links = await listLinks({ netns: net.netns });
    const devices = links.filter(({ ifname }) => ifname !== "lo");
    expect(devices.map(({ ifname }) => ifname.slice(0, 2))).toEqual(expect.arrayContaining(["zl", "zq", "zp", "zc"]));
    for (const { ifname, addr_info } of devices) expect([ifname, addr_info ?? []]).toEqual([ifname, []]);
    for (const { ifname } of devices) {
      for (const [key, value] of [
        ["ipv6/conf/DEV/disable_ipv6", "1"],
        ["ipv6/conf/DEV/accept_ra", "0"],
        ["ipv4/conf/DEV/forwarding", "0"],
        ["ipv4/conf/DEV/arp_ignore", "1"],
      ] as const) {
        const path = `/proc/sys/net/${key.replace("DEV", ifname)}`;
        expect([path, (await run("cat", [path], { netns: net.netns })).stdout.trim()]).toEqual([path, value]);
      }
    }
    expect((await run("ip", ["-n", net.netns, "-6", "route", "show"])).stdout).toBe("");
    expect((await run("ip", ["-n", net.netns, "route", "show"])).stdout).toBe("");
    const listening = await run("ss", ["-H", "-l", "-n", "-t", "-u", "-w"], { netns: net.netns });
    expect(listening.stdout).toBe("");
  }
});

test("devices that took part, of an earlier version, are mended when their agent comes back", async () => {
  const port = await b.ports.ensureTap({ instanceUid: "old", nicIndex: 0, mtu });
  const ip = async (...argv: string[]) => run("ip", ["-n", b.netns, ...argv]);
  for (const key of ["default", "all", port]) {
    await run("sysctl", ["-q", `net.ipv6.conf.${key}.disable_ipv6=0`], { netns: b.netns });
  }
  await ip("address", "add", "fd77::1/64", "dev", port);
  await ip("address", "add", "10.79.2.1/24", "dev", port);
  await b.reopen();
  await b.ports.ensureTap({ instanceUid: "old", nicIndex: 0, mtu });
  const link = (await listLinks({ netns: b.netns })).find(({ ifname }) => ifname === port);
  expect([link?.addr_info ?? [], link?.flags.includes("UP")]).toEqual([[], true]);
  expect((await run("cat", [`/proc/sys/net/ipv6/conf/default/disable_ipv6`], { netns: b.netns })).stdout).toBe("1\n");
});

test("a lan's own test frames come to no guest", async () => {
  const heard = await hearEthertype({ at: [sender, ...hearers], ethertype: 0x88b5, seconds: 2.5 });
  expect(heard).toEqual([0, 0, 0, 0]);
  const reasons = () => [...a.lans.list(), ...b.lans.list()].map(({ reason }) => reason);
  await eventually(() => expect(reasons()).toEqual(["", "", ""]));
});
