import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { SegmentSizes } from "../../../agent/network/segments/segment-sizes.js";
import { freshName } from "../../helpers/run-tag.js";
import { sendStream, sendSuperFrames } from "../../helpers/tcp-segments.js";
import { NetworkFixture, ping } from "./fixture.js";

let net: NetworkFixture;

beforeEach(async () => {
  net = await NetworkFixture.open();
});

afterEach(async () => {
  await net.destroy();
});

test("a stream passes a router whose way on takes smaller packets, and again after a restart of the agent", async () => {
  await net.lans.ensureLan({ id: "lan1", uid: "u1", mtu: 1500, rstp: false });
  await net.lans.ensureLan({ id: "lan2", uid: "u2", mtu: 1500, rstp: false });
  const a = await net.plugContainer("c1", "lan1", "10.78.1.1/24");
  const b = await net.plugContainer("c2", "lan2", "10.78.2.1/24");
  const router = await net.plugContainer("c3", "lan1", "10.78.1.9/24");
  const nic = { instanceUid: "c3", nicIndex: 1, nic: "eth1", mac: "02:00:00:00:03:09", mtu: 1500 };
  const port = await net.ports.ensureVeth({ ...nic, addresses: ["10.78.2.9/24"] });
  await net.lans.plug({ lan: "lan2", port, endpoint: "hosts/t/instances/c3/nics/eth1" });
  await run("ip", ["-n", router.netns, "link", "set", "eth1", "mtu", "1400"]);
  await run("sysctl", ["-qw", "net.ipv4.ip_forward=1"], { netns: router.netns });
  await run("ip", ["-n", a.netns, "route", "add", "10.78.2.0/24", "via", "10.78.1.9"]);
  await run("ip", ["-n", b.netns, "route", "add", "10.78.1.0/24", "via", "10.78.2.9"]);
  await ping(a.netns, "10.78.2.1");
  const [bytes, address] = [8_000_000, "10.78.2.1"];
  expect(await sendStream({ from: a.netns, to: b.netns, address, bytes })).toBe(bytes);
  await net.reopen();
  await net.plugContainer("c1", "lan1", "10.78.1.1/24");
  expect(await sendStream({ from: a.netns, to: b.netns, address, bytes })).toBe(bytes);
});

test("of a super-frame only the size of its segments changes, whatever its headers", async () => {
  const name = freshName();
  await run("ip", ["netns", "add", name]);
  onTestFinished(async () => {
    await run("ip", ["netns", "del", name]);
  });
  const pair = ["mtu", "9000", "type", "veth", "peer", "name", "in", "mtu", "9000", "netns", name];
  await run("ip", ["-n", net.netns, "link", "add", "out", ...pair]);
  await run("ip", ["-n", net.netns, "link", "set", "out", "up"]);
  await run("ip", ["-n", name, "link", "set", "in", "up"]);
  const segments = new SegmentSizes({ netns: net.netns, log: net.log });
  onTestFinished(() => segments.close());
  // Twice is as good as once.
  segments.attach("out");
  segments.attach("out");
  const sides = { outside: { netns: net.netns, device: "out" }, inside: { netns: name, device: "in" } };
  const send = (
    came: number,
    leaves: number,
    what: { six?: boolean; tags?: number[]; words?: number; udp?: boolean },
  ) => sendSuperFrames({ ...sides, came, leaves, ...what });
  const kinds = [
    {},
    { six: true },
    { words: 3 },
    { tags: [0x8100] },
    { tags: [0x88a8, 0x8100] },
    { tags: [0x8100], six: true },
  ];
  for (const what of kinds)
    expect({ what, ...(await send(1448, 1510, what)) }).toEqual({ what, size: 1448, same: true });
  expect(await send(536, 8946, {})).toEqual({ size: 536, same: true });
  expect(await send(1448, 1400, {})).toEqual({ size: 1400, same: true });
  expect(await send(1000, 1400, { udp: true })).toEqual({ size: 1400, same: true });
});
