import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Devices } from "../../../agent/figures/sources/devices.js";
import { ip } from "../../../agent/network/ip.js";
import { toBridgeName } from "../../../agent/network/names.js";
import type { AskedTool } from "../../../agent/network/ovs/tools/judge.js";
import { createSwitchTools, type SwitchTools } from "../../../agent/network/ovs/tools/tools.js";
import { PacketSocket } from "../../../agent/network/packet-socket.js";
import { findDevice } from "../../../lib/net/device.js";
import { TestFrames, testEthertype } from "../../../lib/net/test-frame.js";
import { LanSpec, RstpRole, RstpState } from "../../../proto/gen/zor/v1/lan.js";
import { eventually } from "../../helpers/eventually.js";
import { NetworkFixture, ping, until } from "./fixture.js";

let net: NetworkFixture;
let tools: SwitchTools;
const uid = randomUUID();

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid, mtu: 1500, rstp: false });
  tools = createSwitchTools({ switch: net.sw, directory: net.sw.directory });
});
afterAll(() => net?.destroy());

const { signal } = new AbortController();

function run(line: string) {
  const [tool = "", ...words] = line.split(" ");
  return tools.run(tools.judge({ tool: tool as AskedTool["tool"], words }), signal);
}

describe("the tools of the switch, at the real one", () => {
  it("say what it has, and end with their own exit codes", async () => {
    const bridge = toBridgeName(uid);
    expect(await run("ovs-vsctl br-to-parent lan/lan1")).toEqual({
      exitCode: 0,
      output: `${bridge}\n`,
      errorOutput: "",
      truncated: false,
    });
    expect(await run("ovs-vsctl br-exists nothing")).toMatchObject({ exitCode: 2, output: "" });
    expect((await run("ovs-appctl fdb/show lan/lan1")).output).toContain("port  VLAN  MAC");
    expect((await run("ovs-ofctl dump-flows lan/lan1")).output).toContain("actions=NORMAL");
    expect((await run("ovs-appctl --target=ovsdb-server version")).output).toContain("ovsdb-server");
  });

  it("change it, and only it", async () => {
    expect(await run("ovs-ofctl add-flow lan/lan1 table=3,actions=drop")).toMatchObject({ exitCode: 0 });
    expect((await run("ovs-ofctl dump-flows lan/lan1 table=3")).output).toContain("actions=drop");
    const told = await run("ovs-ofctl add-flow lan/lan1 nonsense");
    expect(told.exitCode).toBe(1);
    expect(told.errorOutput).toBe("ovs-ofctl: must specify an action\n");
    expect(told.errorOutput).not.toContain(net.stateDirectory);
    // vswitchd itself takes no controller at a socket that is not below its own directory; the tool is not even started.
    expect(() => tools.judge({ tool: "ovs-vsctl", words: ["set-controller", "lan/lan1", "unix:/x"] })).toThrow(
      expect.objectContaining({ code: status.PERMISSION_DENIED }),
    );
  });

  it("are as many at once as the host bears, and end with their caller", async () => {
    const waits = () => run("ovs-appctl ofproto/list");
    const ends = await Promise.allSettled(Array.from({ length: 6 }, waits));
    expect(ends.filter(({ status: end }) => end === "fulfilled")).toHaveLength(4);
    for (const end of ends) {
      if (end.status === "rejected") expect(end.reason).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    }
  });
});

describe("the ports of a lan", () => {
  it("count no frame as dropped that the switch forwards, whatever its protocol is", async () => {
    const [a, b] = [
      await net.plugContainer("d1", "lan1", "10.79.1.1/24"),
      await net.plugContainer("d2", "lan1", "10.79.1.2/24"),
    ];
    await ping(a.netns, "10.79.1.2");
    const open = ({ netns }: { netns: string }, destination: Buffer): PacketSocket => {
      const ifindex = findDevice(netns, "eth0")?.index ?? 0;
      return PacketSocket.open({ ifindex, netns }, { destination, ethertype: testEthertype });
    };
    const frames = new TestFrames(Buffer.from("02000000d1d1", "hex"), Buffer.from("02000000d2d2", "hex"));
    const devices = new Devices(net.netns);
    const counted = () => {
      devices.read();
      return [a, b].map(({ port }) => devices.find(port) ?? { inFrames: 0, drops: -1 });
    };
    const from = open(a, frames.source);
    const to = open(b, frames.sink);
    try {
      const before = counted();
      to.send(frames.learn());
      for (let count = 0; count < 20; count += 1) from.send(frames.next());
      let came = 0;
      await until("20 frames", () => {
        for (let frame = to.receive(); frame !== undefined; frame = to.receive()) if (frames.take(frame)) came += 1;
        return came === 20;
      });
      const after = counted();
      expect(after[0]?.inFrames).toBeGreaterThanOrEqual((before[0]?.inFrames ?? 0) + 20);
      expect(after.map(({ drops }) => drops)).toEqual([0, 0]);
    } finally {
      from.close();
      to.close();
    }
  });
});

describe("lans with settings, at the real switch", () => {
  const settings = (given: object) => LanSpec.fromPartial(given);
  const lanOf = (id: string) => net.lans.find(id);

  it("form a spanning tree with the root that was asked for, and leave one of two ways unused", async () => {
    const config = (id: string, priority: number) => ({
      ...{ id, uid: randomUUID(), mtu: 1500, rstp: true },
      settings: settings({ rstp: true, rstpSettings: { priority, maxAgeSeconds: 6, forwardDelaySeconds: 4 } }),
    });
    await net.lans.ensureLan(config("low", 4096));
    await net.lans.ensureLan(config("high", 61_440));
    for (const index of [1, 2]) {
      const [a, b] = [`zrt${index}a`, `zrt${index}b`];
      await ip(["link", "add", a, "type", "veth", "peer", "name", b], { netns: net.netns });
      for (const device of [a, b]) await ip(["link", "set", device, "up"], { netns: net.netns });
      await net.lans.plug({ lan: "low", port: a, endpoint: `links/l${index}` });
      await net.lans.plug({ lan: "high", port: b, endpoint: `links/l${index}` });
    }
    const { RSTP_STATE_FORWARDING: forwarding, RSTP_STATE_DISCARDING: discarding } = RstpState;
    const statesOf = (id: string) => lanOf(id)?.ports.map(({ rstp }) => rstp?.state);
    await eventually(() => {
      expect(lanOf("low")?.rstp).toMatchObject({ isRoot: true, rootPathCost: 0 });
      expect(lanOf("high")?.rstp).toMatchObject({ isRoot: false, rootId: lanOf("low")?.rstp?.bridgeId });
      expect(statesOf("low")).toEqual([forwarding, forwarding]);
      expect(statesOf("high")?.sort()).toEqual([discarding, forwarding]);
      const roles = lanOf("high")?.ports.map(({ rstp }) => rstp?.role);
      expect(roles?.sort()).toEqual([RstpRole.RSTP_ROLE_ROOT, RstpRole.RSTP_ROLE_ALTERNATE]);
    });
    for (const index of [1, 2]) {
      for (const end of ["a", "b"]) await net.lans.unplug(`zrt${index}${end}`);
      await ip(["link", "delete", `zrt${index}a`], { netns: net.netns });
    }
  });

  it("flood and snoop from when they are told, and again after somebody else said otherwise", async () => {
    const base = { id: "lan1", uid, mtu: 1500, rstp: false };
    await net.plugContainer("aaa", "lan1", "10.81.0.1/24");
    const { netns } = await net.plugContainer("bbb", "lan1", "10.81.0.2/24");
    const learned = async () => (await run("ovs-appctl fdb/show lan/lan1")).output.includes("02:00:00:");
    await ping(netns, "10.81.0.1");
    await until("the lan to have learned", learned);

    await net.lans.ensureLan({ ...base, settings: settings({ flood: true }) });
    const forgets = async () => !(await learned());
    await until("the lan to be a hub", forgets);
    await ping(netns, "10.81.0.1");
    expect(await learned()).toBe(false);
    await net.vsctl("clear", "Bridge", toBridgeName(uid), "flood_vlans");
    const floods = async () => (await net.vsctl("get", "Bridge", toBridgeName(uid), "flood_vlans")) !== "[]";
    await until("the lan to be a hub again", floods);

    await net.lans.ensureLan({ ...base, settings: settings({ multicastSnooping: { dropUnregistered: true } }) });
    expect(await floods()).toBe(false);
    expect((await run("ovs-vsctl get Bridge lan/lan1 mcast_snooping_enable")).output).toBe("true\n");
    const config = "other_config:mcast-snooping-disable-flood-unregistered";
    expect((await run(`ovs-vsctl get Bridge lan/lan1 ${config}`)).output).toBe('"true"\n');
    await ping(netns, "10.81.0.1");

    await net.lans.ensureLan(base);
    expect((await run("ovs-vsctl get Bridge lan/lan1 mcast_snooping_enable")).output).toBe("false\n");
    await ping(netns, "10.81.0.1");
    await until("the lan to have learned again", learned);
  });
});
