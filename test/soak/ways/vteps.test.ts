import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { hostAddress, internetAddress, internetAddress6, NatRig } from "../../integration/network/nat-rig.js";

const guest = "10.20.0.1";
const hostAddress6 = "2001:db8::1";

let rig: NatRig;

beforeAll(async () => {
  const entries = [
    `{remotes: [${internetAddress}, ${internetAddress6}, 192.0.2.0/24], vnis: ["40-49"], ports: [4789, 8472]}`,
    `{remotes: [${hostAddress}], vnis: [7]}`,
  ];
  rig = await NatRig.start(`vteps: [${entries.join(", ")}]\n`);
  for (const [device, vni, port, local, remote] of [
    ["vx0", "42", "4789", internetAddress, hostAddress],
    ["vx6", "46", "8472", internetAddress6, hostAddress6],
  ] as const) {
    const tunnel = ["id", vni, "local", local, "remote", remote, "dstport", port];
    const family = local.includes(":") ? ["udp6zerocsumrx"] : [];
    await rig.internet.ip("link", "add", device, "type", "vxlan", ...tunnel, ...family);
    await rig.internet.ip("link", "set", device, "up");
  }
  await rig.internet.ip("address", "add", "10.20.0.3/24", "dev", "vx0");
  await rig.ok("create", "lan", "zt/lan1");
  await rig.container("pc");
  await rig.shell("pc", `ip addr add ${guest}/24 dev eth0`);
});
afterAll(async () => {
  expect(await rig.close()).toEqual([]);
});

const eventuallyAnswers = (isExpected: boolean) =>
  eventually(async () => {
    const answered = await pingAtOnce({ netns: rig.internet.name, address: guest, count: 1 });
    expect(answered.size === 1).toBe(isExpected);
  });

it("is made again when its device is removed, set down or taken out of its lan", async () => {
  await rig.ok("create", "vtep", "zt/v1", "--lan", "lan1", "--remote", internetAddress, "--vni", "42");
  await eventuallyAnswers(true);
  const { stdout } = await run("ip", ["-n", rig.agent.netns, "-br", "link", "show", "type", "vxlan"]);
  const [device = ""] = stdout.split(/[ @]/);
  await run("ip", ["-n", rig.agent.netns, "link", "delete", device]);
  await rig.told(/^vtep\.healed device \S+ is gone/);
  await eventuallyAnswers(true);
  await run("ip", ["-n", rig.agent.netns, "link", "set", device, "down"]);
  await rig.told(/^vtep\.healed device \S+ was changed/);
  await eventuallyAnswers(true);
  await rig.ok("set", "vtep", "zt/v1", "--port", "vlan=10");
  await eventuallyAnswers(false);
  await rig.ok("set", "vtep", "zt/v1", "--port", "");
  await eventuallyAnswers(true);
  await rig.ok("set", "vtep", "zt/v1", "--no-lan");
  await eventuallyAnswers(false);
  await rig.ok("set", "vtep", "zt/v1", "--lan", "lan1");
  await eventuallyAnswers(true);
});

it("goes over IPv6, by another port and from an address that is said", async () => {
  const way = ["--remote", internetAddress6, "--vni", "46", "--dst-port", "8472", "--local", hostAddress6];
  await rig.ok("create", "vtep", "zt/v6", "--lan", "lan1", ...way);
  await rig.internet.ip("address", "delete", "10.20.0.3/24", "dev", "vx0");
  await rig.internet.ip("address", "add", "10.20.0.3/24", "dev", "vx6");
  await eventuallyAnswers(true);
  await eventually(async () => expect(await rig.ok("get", "vteps")).toMatch(/zt\/v6 +UP .*more than 1430 bytes/));
  await rig.ok("delete", "vtep", "zt/v6", "--yes");
  await rig.internet.ip("address", "delete", "10.20.0.3/24", "dev", "vx6");
  await rig.internet.ip("address", "add", "10.20.0.3/24", "dev", "vx0");
  await eventuallyAnswers(true);
});

it("says what is known: nothing was heard, no route, its own address", async () => {
  await rig.ok("create", "vtep", "zt/v2", "--lan", "lan1", "--remote", "192.0.2.9", "--vni", "43");
  expect(await rig.ok("get", "vteps")).toMatch(/zt\/v2 +UP-UNPROVEN /);
  await rig.host.ip("route", "add", "unreachable", "192.0.2.0/24");
  await eventually(async () =>
    expect(await rig.ok("get", "vteps")).toMatch(/zt\/v2 +BROKEN .*the host has no route to 192\.0\.2\.9/),
  );
  await rig.host.ip("route", "delete", "unreachable", "192.0.2.0/24");
  await eventually(async () => expect(await rig.ok("get", "vteps")).toMatch(/zt\/v2 +UP-UNPROVEN /));
  await rig.ok("create", "vtep", "zt/v3", "--lan", "lan1", "--remote", hostAddress, "--vni", "7");
  expect(await rig.ok("get", "vteps")).toMatch(/zt\/v3 +BROKEN .*is an address of the host itself/);
  for (const id of ["v2", "v3"]) await rig.ok("delete", "vtep", `zt/${id}`, "--yes");
});

it("is refused where the settings do not allow it, and with a VNI that is taken", async () => {
  const refused = async (...argv: readonly string[]) =>
    (await rig.zor("create", "vtep", "zt/v9", "--lan", "lan1", ...argv)).stderr;
  expect(await refused("--remote", "10.1.1.1", "--vni", "42")).toContain("the agent's setting vteps");
  expect(await refused("--remote", internetAddress, "--vni", "50")).toContain("with VNI 50");
  expect(await refused("--remote", internetAddress, "--vni", "43", "--dst-port", "53")).toContain("lead to port 53");
  expect(await refused("--remote", "192.0.2.7", "--vni", "42")).toContain("vteps/v1 has VNI 42");
  await rig.host.ip("link", "add", "vx9", "type", "vxlan", "id", "44", "remote", "192.0.2.1", "dstport", "4789");
  expect(await refused("--remote", "192.0.2.7", "--vni", "44")).toContain("has a vxlan device with VNI 44");
  expect(await refused("--remote", "192.0.2.7")).toContain("vtep.spec.vni");
  expect(await rig.ok("get", "vteps", "-o", "name")).toBe("hosts/zt/vteps/v1\n");
  await rig.ok("delete", "vtep", "zt/v1", "--yes");
  const { stdout } = await run("ip", ["-n", rig.agent.netns, "-br", "link", "show", "type", "vxlan"]);
  expect(stdout).toBe("");
});
