import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { hostAddress, NatRig, webPort } from "../../integration/network/nat-rig.js";

let rig: NatRig;
let probe: TestNetns;

beforeAll(async () => {
  probe = await makeNetns("probe");
  const settings = [
    'taps: [{netns: host, addresses: ["10.9.0.0/16", "fd12::/48"]},',
    `  {netns: ${probe.name}, addresses: ["10.9.0.0/16"]}]`,
  ];
  rig = await NatRig.start(`${settings.join("\n")}\n`);
  await rig.ok("create", "lan", "zt/lan1");
  await rig.container("pc");
  await rig.shell("pc", "ip addr add 10.9.0.9/24 dev eth0; ip -6 addr add fd12::9/64 dev eth0");
});
afterAll(async () => {
  const left = await rig.close();
  await probe[Symbol.asyncDispose]();
  expect(left).toEqual([]);
});

const answers = async (netns: TestNetns, address: string): Promise<boolean> =>
  (await pingAtOnce({ netns: netns.name, address, count: 1 })).size === 1;
const addressesOf = async (netns: TestNetns, device: string): Promise<readonly string[]> => {
  const { stdout } = await run("ip", ["-n", netns.name, "-o", "address", "show", "dev", device]);
  return [...stdout.matchAll(/inet6? (\S+)/g)].map(([, address = ""]) => address);
};

it("plugs the host itself into a lan, which listens to nothing that the lab announces", async () => {
  await rig.ok("create", "nat", "zt/n1", "--lan", "lan1", "--subnet", "10.1.0.0/24");
  const addresses = ["--addr", "10.9.0.1/24", "--addr", "fd12::1/64"];
  expect(await rig.ok("create", "tap", "zt/lab0", "--lan", "lan1", ...addresses)).toContain("tap zt/lab0 created");
  await eventually(async () => expect(await answers(rig.host, "10.9.0.9")).toBe(true));
  await eventually(async () => expect(await answers(rig.host, "fd12::9")).toBe(true));
  expect(await rig.fetch("pc", "10.9.0.1")).toBe("10.9.0.1 sees 10.9.0.9");
  expect(await rig.ok("get", "taps")).toMatch(/zt\/lab0 +READY +lan1 +lab0 +- +10\.9\.0\.1\/24,fd12::1\/64/);
  // The nat announces itself when it begins: an interface that listened would have an address of its subnet, and a way out by it.
  await rig.ok("set", "nat", "zt/n1", "--domain", "other");
  const { stdout: routes } = await run("ip", ["-n", rig.host.name, "-6", "route", "show", "dev", "lab0"]);
  expect(routes).not.toContain("default");
  expect((await addressesOf(rig.host, "lab0")).filter((each) => !each.startsWith("fe80:")).sort()).toEqual([
    "10.9.0.1/24",
    "fd12::1/64",
  ]);
  await rig.ok("delete", "nat", "zt/n1", "--yes");
});

it("changes addresses, lan and VLAN while it is used", async () => {
  await rig.ok("set", "tap", "zt/lab0", "--addr", "10.9.0.2/24");
  expect(await addressesOf(rig.host, "lab0")).not.toContain("10.9.0.1/24");
  await eventually(async () => expect(await answers(rig.host, "10.9.0.9")).toBe(true));
  await rig.ok("set", "tap", "zt/lab0", "--port", "vlan=10");
  await eventually(async () => expect(await answers(rig.host, "10.9.0.9")).toBe(false));
  await rig.ok("set", "tap", "zt/lab0", "--port", "");
  await eventually(async () => expect(await answers(rig.host, "10.9.0.9")).toBe(true));
  await rig.ok("set", "tap", "zt/lab0", "--no-lan");
  await eventually(async () => expect(await answers(rig.host, "10.9.0.9")).toBe(false));
  await rig.ok("set", "tap", "zt/lab0", "--lan", "lan1");
  await eventually(async () => expect(await answers(rig.host, "10.9.0.9")).toBe(true));
});

it("is made again when its interface is removed, and goes on without the agent", async () => {
  await rig.host.ip("link", "delete", "lab0");
  await eventually(async () => expect(await answers(rig.host, "10.9.0.9")).toBe(true));
  await rig.told(/^tap\.healed interface lab0 is gone/);
  await rig.agent.end("SIGKILL");
  expect(await answers(rig.host, "10.9.0.9")).toBe(true);
  await rig.startAgent();
  await rig.answers();
  expect(await answers(rig.host, "10.9.0.9")).toBe(true);
  await rig.ok("delete", "tap", "zt/lab0", "--yes");
  const { stdout } = await run("ip", ["-n", rig.host.name, "-br", "link"]);
  expect(stdout).not.toContain("lab0");
});

it("is in a named namespace, waits for it when it is gone, and is found again", async () => {
  const where = ["--netns", probe.name, "--device", "eth0"];
  await rig.ok(
    "create",
    "tap",
    "zt/p1",
    "--lan",
    "lan1",
    ...where,
    "--addr",
    "10.9.0.7/24",
    "--mac",
    "02:00:00:00:77:01",
  );
  await eventually(async () => expect(await answers(probe, "10.9.0.9")).toBe(true));
  await run("ip", ["netns", "delete", probe.name]);
  await eventually(async () =>
    expect(await rig.ok("get", "taps")).toMatch(/zt\/p1 +BROKEN .*there is no net namespace/),
  );
  await run("ip", ["netns", "add", probe.name]);
  await eventually(async () => expect(await answers(probe, "10.9.0.9")).toBe(true));
  await eventually(async () => expect(await rig.ok("get", "taps")).toMatch(/zt\/p1 +READY/));
  await rig.ok("delete", "tap", "zt/p1", "--yes");
});

it("is refused where the settings do not allow it, and where an interface or a route is somebody else's", async () => {
  const refused = async (...argv: readonly string[]) => (await rig.zor("create", "tap", "zt/t9", ...argv)).stderr;
  expect(await refused("--netns", rig.internet.name)).toContain("the agent's setting taps");
  expect(await refused("--addr", "10.8.0.1/24")).toContain("with the address 10.8.0.1/24");
  expect(await refused("--device", "up0")).toContain("there is an interface up0 already");
  await rig.host.ip("route", "add", "10.9.7.0/24", "via", "203.0.113.9");
  expect(await refused("--addr", "10.9.7.1/24")).toContain("there is a route to 10.9.7.0/24 already");
  expect(await refused("--lan", "nowhere")).toContain("does not exist");
  expect(await rig.ok("get", "taps", "-o", "name")).toBe("");
  const { stdout } = await run("curl", ["--silent", "--max-time", "10", `http://${hostAddress}:${webPort}/`], {
    netns: rig.internet.name,
  });
  expect(stdout).toContain("sees");
});
