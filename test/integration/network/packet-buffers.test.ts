import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { NetworkFixture } from "./fixture.js";

test("ports of the userspace datapath hold a burst of super-frames", async () => {
  const net = await NetworkFixture.open();
  onTestFinished(() => net.destroy());
  await net.lans.ensureLan({ id: "lan1", uid: "u1", mtu: 1500, rstp: false });
  const { port } = await net.plugContainer("c1", "lan1", "10.0.0.1/24");
  const { stdout } = await run("ss", ["-0", "-n", "-m", "-O"], { netns: net.netns });
  const buffers = stdout
    .split("\n")
    .filter((line) => line.includes(port))
    .map((line) => Number(/\brb(\d+)/.exec(line)?.[1]));
  // The kernel datapath has no sockets of its own.
  expect(buffers.length > 0).toBe(net.sw.datapath === "netdev");
  for (const bytes of buffers) expect(bytes).toBeGreaterThanOrEqual(4 * 1024 * 1024);
});
