import { mkdtemp, rm } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Switch } from "../../../agent/network/ovs/switch.js";
import { createLog } from "../../../lib/log.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { NatRig } from "../../integration/network/nat-rig.js";

const guest = "10.20.0.1";

let rig: NatRig;
/** What is behind the host's bridges. */
let behind: TestNetns;
let directory: string;
/** The host's own Open vSwitch. */
let foreign: Switch;

beforeAll(async () => {
  behind = await makeNetns("behind");
  directory = await mkdtemp(join(tmpdir(), "zt-ovs-"));
  const socket = join(directory, "ovs", "db.sock");
  rig = await NatRig.start(`bridges: ["br*", ovs0]\nhostOvsSocket: ${socket}\n`);
  const log = createLog("test", { write: () => undefined });
  const { signal } = new AbortController();
  foreign = await Switch.open({ stateDirectory: directory, agentUid: "host", netns: rig.host.name, log, signal });
  await rig.host.ip("link", "add", "br0", "type", "bridge");
  await rig.host.ip("link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", behind.name);
  await rig.host.ip("link", "set", "lan0", "master", "br0");
  for (const device of ["lan0", "br0"]) await rig.host.ip("link", "set", device, "up");
  await rig.host.ip("link", "add", "lan1", "type", "veth", "peer", "name", "eth1", "netns", behind.name);
  await rig.host.ip("link", "set", "lan1", "up");
  await vsctl("add-br", "ovs0", "--", "set", "Bridge", "ovs0", `datapath_type=${foreign.datapath}`);
  await vsctl("add-port", "ovs0", "lan1");
  await addAddress("eth0", "10.20.0.2/24");
  await rig.ok("create", "lan", "zt/lan1");
  await rig.ok("create", "lan", "zt/lan2");
  await rig.container("pc");
  await rig.shell("pc", `ip addr add ${guest}/24 dev eth0; ip addr add 10.30.0.1/24 dev eth0`);
});
afterAll(async () => {
  await foreign.destroy();
  const left = await rig.close();
  await rm(directory, { recursive: true, force: true });
  await behind[Symbol.asyncDispose]();
  expect(left).toEqual([]);
});

async function addAddress(device: string, address: string): Promise<void> {
  await behind.ip("address", "add", address, "dev", device);
  await behind.ip("link", "set", device, "up");
}

async function vsctl(...argv: readonly string[]): Promise<string> {
  const { stdout } = await run("ovs-vsctl", [
    `--db=unix:${join(directory, "ovs", "db.sock")}`,
    "--timeout=20",
    ...argv,
  ]);
  return stdout.trim();
}

const answers = async (address = guest): Promise<boolean> =>
  (await pingAtOnce({ netns: behind.name, address, count: 1 })).size === 1;
const eventuallyAnswers = (isExpected: boolean, address = guest) =>
  eventually(async () => expect(await answers(address)).toBe(isExpected));
/** The interface of a bridge that is a port of the host's. */
async function deviceOf(id: string): Promise<string> {
  const [bridge] = (JSON.parse(await rig.ok("get", "bridge", `zt/${id}`, "-o", "json")) as { bridges: Shown[] })
    .bridges;
  return bridge?.status.device ?? "";
}
interface Shown {
  readonly status: { readonly device: string };
}
const portsOf = async (bridge: string): Promise<string> =>
  (await run("ip", ["-n", rig.host.name, "-br", "link", "show", "master", bridge])).stdout;

describe("a Linux bridge", () => {
  it("gets its port back when somebody takes it out or removes the interface", async () => {
    await rig.ok("create", "bridge", "zt/br", "--lan", "lan1", "--bridge", "br0");
    await eventuallyAnswers(true);
    const device = await deviceOf("br");
    await rig.host.ip("link", "set", device, "nomaster");
    await eventually(async () => expect(await portsOf("br0")).toContain(device));
    await rig.told(/^bridge\.healed \S+ is no port of bridge br0/);
    await rig.host.ip("link", "delete", device);
    await eventuallyAnswers(true);
    await rig.told(/^bridge\.healed interface \S+ is gone/);
  });

  it("is waited for while it is gone", async () => {
    await rig.host.ip("link", "delete", "br0");
    await eventually(async () => expect(await rig.ok("get", "bridges")).toMatch(/BROKEN .*the host has no bridge br0/));
    await rig.host.ip("link", "add", "br0", "type", "bridge");
    await rig.host.ip("link", "set", "br0", "up");
    await rig.host.ip("link", "set", "lan0", "master", "br0");
    await eventuallyAnswers(true);
    await eventually(async () => expect(await rig.ok("get", "bridges")).toMatch(/zt\/br +READY/));
  });

  it("hears of one VLAN, or of none", async () => {
    await rig.ok("set", "bridge", "zt/br", "--port", "vlan=10");
    await eventuallyAnswers(false);
    await rig.ok("set", "bridge", "zt/br", "--port", "");
    await eventuallyAnswers(true);
    await rig.ok("set", "bridge", "zt/br", "--no-lan");
    await eventuallyAnswers(false);
    await rig.ok("set", "bridge", "zt/br", "--lan", "lan1");
    await eventuallyAnswers(true);
  });

  it("does not hear what DHCP servers of the lan say, tagged or not, unless it may", async () => {
    const tagged = (port: number): string => `ether type 8021q @ll,304,16 ${port}`;
    const counters = [
      ...["udp sport 67", "udp sport 547", tagged(67)].map((match) => `${match} counter name dhcp`),
      ...["udp sport 1067", tagged(1067)].map((match) => `${match} counter name other`),
    ];
    const rules = `table netdev t {
      counter dhcp {}
      counter other {}
      chain i { type filter hook ingress device "eth0" priority 0; ${counters.join("; ")}; }
    }`;
    await run("nft", ["-f", "-"], { netns: behind.name, input: rules });
    const [container] = readdirSync("/run/netns").filter((name) => name.startsWith(`${rig.agent.netns}.`));
    /** Two datagrams that say nothing, plain and of VLAN 7, from a port. */
    const say = async (port: number): Promise<void> => {
      const send = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
own = s.getsockname()[4]
data = b"x" * 300
udp = struct.pack("!HHHH", ${port}, 68, 8 + len(data), 0) + data
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton("10.20.0.1"), socket.inet_aton("10.20.0.2"))
for tag in (b"", struct.pack("!HH", 0x8100, 7)):
    s.send(bytes([255] * 6) + own + tag + struct.pack("!H", 0x0800) + ip + udp)
`;
      await run("python3", ["-c", send], { netns: container });
    };
    const heard = async (counter: string): Promise<number> => {
      const { stdout } = await run("nft", ["list", "counter", "netdev", "t", counter], { netns: behind.name });
      return Number(/packets (\d+)/.exec(stdout)?.[1]);
    };
    await say(67);
    // What was sent later is there: what was sent before will not come any more.
    await say(1067);
    await eventually(async () => expect(await heard("other")).toBe(2));
    expect(await heard("dhcp")).toBe(0);

    await run("nft", ["flush", "ruleset"], { netns: rig.agent.netns });
    await rig.told(/^bridge\.healed the rules that keep DHCP in the lan are gone/);
    await say(67);
    await say(1067);
    await eventually(async () => expect(await heard("other")).toBe(4));
    expect(await heard("dhcp")).toBe(0);

    await rig.ok("set", "bridge", "zt/br", "--dhcp-out");
    await say(67);
    await eventually(async () => expect(await heard("dhcp")).toBe(2));
    await rig.ok("set", "bridge", "zt/br", "--no-dhcp-out");
    await say(67);
    await say(1067);
    await eventually(async () => expect(await heard("other")).toBe(6));
    expect(await heard("dhcp")).toBe(2);
  });

  it("is refused twice in one lan, where the settings do not allow it, and where there is none", async () => {
    const refused = async (...argv: readonly string[]) => (await rig.zor("create", "bridge", "zt/b9", ...argv)).stderr;
    expect(await refused("--lan", "lan1", "--bridge", "br0")).toContain("two would be a loop");
    expect(await refused("--lan", "lan2", "--bridge", "up0")).toContain("the agent's setting bridges");
    expect(await refused("--lan", "lan2", "--bridge", "br9")).toContain("the host has no bridge br9");
    expect(await refused("--lan", "nowhere", "--bridge", "br0")).toContain("does not exist");
    expect(await refused("--lan", "lan1")).toContain("bridge.spec.bridge");
    await rig.ok("create", "bridge", "zt/b2", "--lan", "lan2", "--bridge", "br0");
    expect((await rig.zor("set", "bridge", "zt/b2", "--lan", "lan1")).stderr).toContain("two would be a loop");
    await rig.ok("delete", "bridge", "zt/b2", "--yes");
    expect(await rig.ok("get", "bridges", "-o", "name")).toBe("hosts/zt/bridges/br\n");
  });

  it("keeps address and MTU, also when it has no other port, and says when the lan's MTU is larger", async () => {
    await rig.ok("create", "lan", "zt/jumbo", "--mtu", "9000");
    await rig.host.ip("link", "add", "br1", "type", "bridge");
    onTestFinished(() => rig.host.ip("link", "delete", "br1"));
    const told = async () => {
      const { stdout } = await run("ip", ["-n", rig.host.name, "-j", "link", "show", "dev", "br1"]);
      return (JSON.parse(stdout) as { mtu: number; address: string }[]).map(({ mtu, address }) => ({ mtu, address }));
    };
    const before = await told();
    await rig.ok("create", "bridge", "zt/b1", "--lan", "jumbo", "--bridge", "br1");
    expect(await told()).toEqual(before);
    expect(await rig.ok("get", "bridges")).toMatch(/zt\/b1 +READY .*more than 1500 bytes do not get into br1/);
    await rig.ok("delete", "bridge", "zt/b1", "--yes");
    expect(await told()).toEqual(before);
  });

  it("has its ports as before when the bridge is deleted", async () => {
    await rig.ok("delete", "bridge", "zt/br", "--yes");
    expect((await portsOf("br0")).trim().split("\n")).toEqual([expect.stringMatching(/^lan0@/)]);
    const { stdout } = await run("ip", ["-n", rig.host.name, "-br", "link"]);
    expect(stdout).not.toMatch(/^zo/m);
    expect((await run("nft", ["list", "ruleset"], { netns: rig.agent.netns })).stdout).toBe("");
  });
});

describe("a bridge of the host's Open vSwitch", () => {
  it("is joined, gets its port back, and has its ports as before when the bridge is deleted", async () => {
    await addAddress("eth1", "10.30.0.2/24");
    const before = await vsctl("list-ports", "ovs0");
    await rig.ok("create", "bridge", "zt/ov", "--lan", "lan1", "--bridge", "ovs0");
    await eventuallyAnswers(true, "10.30.0.1");
    expect(await rig.ok("get", "bridges")).toMatch(/zt\/ov +READY +lan1 +ovs0 +ovs/);
    const device = await deviceOf("ov");
    expect(await vsctl("get", "Port", device, "external_ids")).toContain("zor-agent=");
    await vsctl("del-port", "ovs0", device);
    await rig.told(/^bridge\.healed \S+ is no port of bridge ovs0/);
    await eventuallyAnswers(true, "10.30.0.1");
    await rig.host.ip("link", "delete", device);
    await rig.told(/^bridge\.healed interface \S+ is gone/);
    await eventuallyAnswers(true, "10.30.0.1");
    await rig.agent.end("SIGKILL");
    await eventuallyAnswers(true, "10.30.0.1");
    await rig.startAgent();
    await rig.answers();
    await eventually(async () => expect(await rig.ok("get", "bridges")).toMatch(/zt\/ov +READY/));
    await rig.ok("delete", "bridge", "zt/ov", "--yes");
    expect(await vsctl("list-ports", "ovs0")).toBe(before);
  });
});
