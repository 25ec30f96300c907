import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { hostAddress, internetAddress, NatRig } from "./nat-rig.js";

const guest = "10.20.0.1";

let rig: NatRig;
/** What is behind the host's bridge. */
let behind: TestNetns;

beforeAll(async () => {
  behind = await makeNetns("behind");
  rig = await NatRig.start(`bridges: [br0]\nvteps: [{remotes: [${internetAddress}], vnis: [42]}]\n`);
  await rig.host.ip("link", "add", "br0", "type", "bridge");
  await rig.host.ip("link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", behind.name);
  await rig.host.ip("link", "set", "lan0", "master", "br0");
  for (const device of ["lan0", "br0"]) await rig.host.ip("link", "set", device, "up");
  const tunnel = ["id", "42", "local", internetAddress, "remote", hostAddress, "dstport", "4789"];
  await rig.internet.ip("link", "add", "vx0", "type", "vxlan", ...tunnel);
  await addAddress(behind, "eth0", "10.20.0.2/24");
  await addAddress(rig.internet, "vx0", "10.20.0.3/24");
});
afterAll(async () => {
  const left = await rig.close();
  await behind[Symbol.asyncDispose]();
  expect(left).toEqual([]);
});

async function addAddress(netns: TestNetns, device: string, address: string): Promise<void> {
  await netns.ip("address", "add", address, "dev", device);
  await netns.ip("link", "set", device, "up");
}

/** What is told of the host's bridge and of its ports, but for what goes on by itself. */
async function bridgeNow(): Promise<unknown> {
  const show = async (...argv: readonly string[]): Promise<Record<string, unknown>[]> => {
    const { stdout } = await run("ip", ["-n", rig.host.name, "-j", "-d", "link", "show", ...argv]);
    return JSON.parse(stdout) as Record<string, unknown>[];
  };
  const [bridge] = await show("dev", "br0");
  const ports = (await show("master", "br0")).map(({ ifname, ifindex }) => `${String(ifname)} ${String(ifindex)}`);
  const { ifindex, mtu, address } = bridge ?? {};
  return { ifindex, mtu, address, ports };
}

const bothReachGuest = () =>
  eventually(async () => {
    for (const netns of [behind.name, rig.internet.name]) {
      expect((await pingAtOnce({ netns, address: guest, count: 1 })).size, netns).toBe(1);
    }
  });

it("joins a lan with a bridge of the host and with a foreign tunnel end, without the agent too, and leaves no trace", async () => {
  const before = await bridgeNow();
  await rig.ok("create", "lan", "zt/lan1");
  await rig.container("pc");
  await rig.shell("pc", `ip addr add ${guest}/24 dev eth0`);
  expect(await rig.ok("create", "bridge", "zt/br", "--lan", "lan1", "--bridge", "br0")).toContain(
    "bridge zt/br created",
  );
  const tunnel = ["--remote", internetAddress, "--vni", "42"];
  expect(await rig.ok("create", "vtep", "zt/v1", "--lan", "lan1", ...tunnel)).toContain("vtep zt/v1 created");
  await bothReachGuest();
  await eventually(async () => expect(await rig.ok("get", "bridges")).toMatch(/zt\/br +READY +lan1 +br0 +linux +kept/));
  await eventually(async () =>
    expect(await rig.ok("get", "vteps")).toMatch(/zt\/v1 +UP +lan1 +203\.0\.113\.9 +42 +UNENCRYPTED/),
  );
  const described = await rig.ok("describe", "vtep", "zt/v1");
  expect(described).toContain("NOT ENCRYPTED");
  expect(described).toContain("packets of more than 1450 bytes do not go to 203.0.113.9 whole");

  await rig.agent.end("SIGKILL");
  await bothReachGuest();
  await rig.startAgent();
  await rig.answers();
  await bothReachGuest();
  await eventually(async () => expect(await rig.ok("get", "bridges")).toMatch(/zt\/br +READY/));

  await rig.ok("delete", "bridge", "zt/br", "--yes");
  await rig.ok("delete", "vtep", "zt/v1", "--yes");
  expect(await bridgeNow()).toEqual(before);
});
