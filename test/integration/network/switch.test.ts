import { readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Bridges } from "../../../agent/network/bridges.js";
import { findLink, listLinks } from "../../../agent/network/ip.js";
import { Switch } from "../../../agent/network/ovs/switch.js";
import { isAlive, waitForExit } from "../../../lib/process.js";
import { pingEvery } from "../../helpers/pings.js";
import { isSilent, NetworkFixture, ping, until } from "./fixture.js";

let net: NetworkFixture;

beforeEach(async () => {
  net = await NetworkFixture.open();
});

afterEach(async () => {
  await net.destroy();
});

const lan1 = { id: "lan1", uid: "u-lan1", mtu: 1500, rstp: false };
const lan2 = { id: "lan2", uid: "u-lan2", mtu: 1500, rstp: false };

describe("lans on a real switch", () => {
  it("carry frames between what is plugged into the same lan and no other", async () => {
    await net.lans.ensureLan(lan1);
    await net.lans.ensureLan(lan2);
    const a = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    await net.plugContainer("ccc", "lan2", "10.77.0.3/24");
    await ping(a.netns, "10.77.0.2");
    expect(await isSilent(a.netns, "10.77.0.3")).toBe(true);

    expect(
      net.lans
        .find("lan1")
        ?.ports.map((port) => port.endpoint)
        .sort(),
    ).toEqual(["hosts/t/instances/aaa/nics/eth0", "hosts/t/instances/bbb/nics/eth0"]);
    await until("counters of the plugged ports", () =>
      (net.lans.find("lan1")?.ports ?? []).every((port) => port.rxFrames > 0n && port.txBytes > 0n),
    );
  });

  it("cut an endpoint off when it is unplugged, and connect it when it is plugged into another lan", async () => {
    await net.lans.ensureLan(lan1);
    await net.lans.ensureLan(lan2);
    const a = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    const b = await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    await ping(a.netns, "10.77.0.2");
    await net.lans.unplug(b.port);
    await net.lans.unplug(b.port);
    expect(await isSilent(a.netns, "10.77.0.2")).toBe(true);
    await net.lans.plug({ lan: "lan2", port: b.port, endpoint: "hosts/t/instances/bbb/nics/eth0" });
    await net.lans.plug({ lan: "lan2", port: a.port, endpoint: "hosts/t/instances/aaa/nics/eth0" });
    await ping(a.netns, "10.77.0.2");
    expect(net.lans.find("lan1")?.ports).toEqual([]);
  });

  it("change nothing when told again what they are", async () => {
    await net.lans.ensureLan(lan1);
    const a = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    const configuration = await net.vsctl("get", "Open_vSwitch", ".", "next_cfg");
    const link = await findLink(a.port, { netns: net.netns });
    await net.lans.ensureLan(lan1);
    await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    expect(await net.vsctl("get", "Open_vSwitch", ".", "next_cfg")).toBe(configuration);
    expect((await findLink(a.port, { netns: net.netns }))?.ifindex).toBe(link?.ifindex);
  });

  it("take a new MTU and RSTP while they run", async () => {
    await net.lans.ensureLan(lan1);
    const a = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    await net.lans.ensureLan({ ...lan1, mtu: 9000, rstp: true });
    await until("the new MTU", async () => (await findLink(a.port, { netns: net.netns }))?.mtu === 9064);
    expect(await net.vsctl("--columns=rstp_enable", "--bare", "list", "Bridge")).toBe("true");
  });

  it("refuse a port whose device is missing and leave nothing of it behind", async () => {
    await net.lans.ensureLan(lan1);
    const plug = net.lans.plug({ lan: "lan1", port: "zpmissing", endpoint: "links/x" });
    await expect(plug).rejects.toMatchObject({ reason: "PLUG_FAILED", code: 14 });
    expect(net.lans.find("lan1")).toMatchObject({ ports: [], reason: "" });
  });

  it("refuse to plug into a lan that does not exist", async () => {
    const plug = net.lans.plug({ lan: "nope", port: "zp0", endpoint: "links/x" });
    await expect(plug).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  it("plug an interface again that was made anew under the same name", async () => {
    await net.lans.ensureLan(lan1);
    await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    const b = await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    await net.ports.removePort(b.port);
    await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    await ping(b.netns, "10.77.0.1");
  });

  it("plug an interface again that was made anew under the same name and index", async () => {
    await net.lans.ensureLan(lan1);
    await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    const b = await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    const index = String((await findLink(b.port, { netns: net.netns }))?.ifindex);
    await net.ports.removePort(b.port);
    const device = ["link", "add", "name", b.port, "index", index, "type", "veth", "peer", "name", "eth0"];
    await run("ip", ["-n", net.netns, ...device, "netns", b.netns]);
    await run("ip", ["-n", net.netns, "link", "set", b.port, "up"]);
    await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    await ping(b.netns, "10.77.0.1");
  });

  it("leave untagged bridges and ports alone", async () => {
    await net.vsctl("add-br", "ztforeign", "--", "set", "bridge", "ztforeign", `datapath_type=${net.sw.datapath}`);
    await net.lans.ensureLan(lan1);
    expect(net.lans.list().map((lan) => lan.id)).toEqual(["lan1"]);
    await expect(net.lans.plug({ lan: "lan1", port: "ztforeign", endpoint: "links/x" })).rejects.toMatchObject({
      reason: "PORT_NOT_OURS",
    });
    await expect(net.lans.unplug("ztforeign")).rejects.toMatchObject({ reason: "PORT_NOT_OURS" });
    await net.lans.deleteLan("lan1");
    await net.lans.deleteLan("ztforeign");
    expect(await net.vsctl("list-br")).toBe("ztforeign");
  });

  it("tell listeners about structure and not about counters alone", async () => {
    let calls = 0;
    const stop = net.lans.onChange(() => {
      calls += 1;
    });
    await net.lans.ensureLan(lan1);
    expect(calls).toBeGreaterThan(0);
    stop();
    const before = calls;
    await net.lans.deleteLan("lan1");
    expect(calls).toBe(before);
    expect(net.lans.list()).toEqual([]);
  });
});

describe("the switch's daemons", () => {
  it("keep their pids and the traffic when the agent comes back", async () => {
    await net.lans.ensureLan(lan1);
    const a = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    await ping(a.netns, "10.77.0.2");
    const before = await net.sw.processes();
    const pings = pingEvery(20, { netns: a.netns, address: "10.77.0.2", count: 100 });
    await net.reopen();
    await net.lans.ensureLan(lan1);
    await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    expect((await pings).size).toBe(100);
    expect(await net.sw.processes()).toEqual(before);
  });

  it("are found by their arguments when the record of them was cut off", async () => {
    const before = await net.sw.processes();
    for (const name of ["ovsdb-server", "ovs-vswitchd"]) {
      await truncate(join(net.stateDirectory, "ovs", `${name}.json`), 5);
    }
    await net.reopen();
    expect(await net.sw.processes()).toEqual(before);
  });

  it.each(["ovs-vswitchd", "ovsdb-server"])("carry on with the same lans after %s died", async (name) => {
    await net.lans.ensureLan(lan1);
    const a = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    const victim = (await net.sw.processes())[name];
    if (victim === undefined) throw new Error(`${name} does not run`);
    process.kill(victim.pid, "SIGKILL");
    await waitForExit(victim, 5000);
    await until("the daemon to run again", async () => {
      const running = (await net.sw.processes())[name];
      return running !== undefined && (await isAlive(running)) && net.sw.failure === "";
    });
    await until("the lan to be back", () => net.lans.find("lan1")?.ports.length === 2);
    await ping(a.netns, "10.77.0.2");
  });

  it("make lans and ports again after the database was lost with them", async () => {
    await net.lans.ensureLan(lan1);
    const a = await net.plugContainer("aaa", "lan1", "10.77.0.1/24");
    await net.plugContainer("bbb", "lan1", "10.77.0.2/24");
    const running = Object.values(await net.sw.processes());
    await truncate(join(net.stateDirectory, "ovs", "conf.db"), 0);
    for (const victim of running) process.kill(victim.pid, "SIGKILL");
    await until("the lan to be back", () => {
      const ports = net.lans.find("lan1")?.ports ?? [];
      return ports.length === 2 && ports.every((port) => port.error === "");
    });
    await ping(a.netns, "10.77.0.2");
  });

  it("run with segmentation offload on from the start", async () => {
    const log = join(net.stateDirectory, "ovs", "ovs-vswitchd.log");
    expect(await net.vsctl("get", "Open_vSwitch", ".", "other_config:userspace-tso-enable")).toBe('"true"');
    // The daemon warns when the option is changed after its start.
    expect(await readFile(log, "utf8")).not.toContain("userspace-tso");
  });
});

describe("what belongs to others", () => {
  it("is a namespace that was there before: used, but not removed", async () => {
    const netns = `${net.netns}-own`;
    await run("ip", ["netns", "add", netns]);
    try {
      const options = { stateDirectory: join(net.stateDirectory, "b"), agentUid: "b", netns, log: net.log };
      const other = await Switch.open({ ...options, signal: new AbortController().signal });
      const lans = new Bridges({ switch: other, log: net.log });
      await lans.ensureLan(lan1);
      lans.close();
      await other.destroy();
      expect((await listLinks({ netns })).map(({ ifname }) => ifname)).toEqual(["lo"]);
    } finally {
      await run("ip", ["netns", "delete", netns]);
    }
  });

  it("is another agent's namespace: refused", async () => {
    const options = { stateDirectory: join(net.stateDirectory, "c"), agentUid: "c", netns: net.netns, log: net.log };
    await expect(Switch.open({ ...options, signal: new AbortController().signal })).rejects.toMatchObject({
      reason: "NETNS_TAKEN",
    });
  });
});
