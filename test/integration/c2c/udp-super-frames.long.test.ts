import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { sendUdpSegments } from "../../helpers/udp-segments.js";
import { type TestHost, TwoHosts } from "./two-hosts.js";

/** Sends 200 datagrams in ten super-frames from a to b; returns what came, and in how many frames. */
async function cross(udpSuperFrames: readonly [boolean, boolean]): Promise<{ datagrams: number; frames: number }> {
  const hosts = await TwoHosts.make({ udpSuperFrames });
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  await hosts.connect();
  await hosts.ping();
  const before = await receivedFrames(hosts.b);
  const { a, b } = hosts;
  const datagrams = await sendUdpSegments({ from: a.lan.name, to: b.lan.name, address: b.lanIp });
  return { datagrams, frames: (await receivedFrames(b)) - before };
}

async function receivedFrames(host: TestHost): Promise<number> {
  const { stdout } = await run("ip", ["-n", host.lan.name, "-j", "-s", "link", "show", "dev", host.end().tap.name]);
  // iproute2 prints an array with one object for one device.
  const [link] = JSON.parse(stdout) as [{ readonly stats64: { readonly rx: { readonly packets: number } } }];
  return link.stats64.rx.packets;
}

test.each([[[false, false]], [[true, false]], [[false, true]]] as const)(
  "UDP super-frames cross as single datagrams unless both switches take them (%j)",
  async (able) => {
    const { datagrams, frames } = await cross(able);
    expect(datagrams).toBe(200);
    expect(frames).toBeGreaterThanOrEqual(200);
  },
);

test("between switches that take them they cross whole", async () => {
  const { datagrams, frames } = await cross([true, true]);
  expect(datagrams).toBe(200);
  expect(frames).toBeLessThan(100);
});
