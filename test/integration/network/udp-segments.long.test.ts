import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { sendUdpSegments } from "../../helpers/udp-segments.js";
import { NetworkFixture, ping } from "./fixture.js";

let net: NetworkFixture;

beforeEach(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid: "u1", mtu: 1500, rstp: false });
});

afterEach(async () => {
  await net.destroy();
});

test("what a container sends with UDP_SEGMENT arrives, datagram by datagram", async () => {
  const a = await net.plugContainer("c1", "lan1", "10.78.0.1/24");
  const b = await net.plugContainer("c2", "lan1", "10.78.0.2/24");
  await ping(a.netns, "10.78.0.2");
  expect(await sendUdpSegments({ from: a.netns, to: b.netns, address: "10.78.0.2" })).toBe(200);
});

test("an interface of an earlier agent is set as a new one is, and only where the switch needs it", async () => {
  const segmentation = async (netns: string): Promise<string | undefined> => {
    const { stdout } = await run("ethtool", ["-k", "eth0"], { netns });
    return /^tx-udp-segmentation: (\S+)/m.exec(stdout)?.[1];
  };
  const wanted = net.sw.datapath === "netdev" ? "off" : "on";
  const { netns } = await net.plugContainer("c1", "lan1", "10.78.0.1/24");
  expect(await segmentation(netns)).toBe(wanted);
  await run("ethtool", ["-K", "eth0", "tx-udp-segmentation", "on"], { netns });
  await net.reopen();
  await net.plugContainer("c1", "lan1", "10.78.0.1/24");
  expect(await segmentation(netns)).toBe(wanted);
});
