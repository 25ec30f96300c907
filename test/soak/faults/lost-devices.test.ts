import { readdir, stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { toPortName } from "../../../agent/network/names.js";
import { ListInstancesResponse } from "../../../proto/gen/zor/v1/instance_service.js";
import { eventually } from "../../helpers/eventually.js";
import { NatRig } from "../../integration/network/nat-rig.js";

let rig: NatRig;

beforeAll(async () => {
  rig = await NatRig.start();
  await rig.ok("create", "lan", "zt/lan1");
  await rig.container("web", "--nic", "lan=lan1,addr=10.7.0.1/24");
  await rig.container("pc", "--nic", "lan=lan1,addr=10.7.0.2/24");
  await rig.ok(
    ...[
      "create",
      "instance",
      "zt/vm",
      "--driver",
      "qemu",
      "--kernel",
      "micro",
      "--memory",
      "192M",
      "--nic",
      "lan=lan1",
    ],
  );
  await eventually(() => rig.ok("exec", "zt/vm", "--", "true"), 120_000);
}, 240_000);
afterAll(async () => {
  expect(await rig.close()).toEqual([]);
}, 120_000);

/** Name of an instance's port, and its net namespace. */
async function portOf(id: string, index: number): Promise<string> {
  const { instances } = ListInstancesResponse.fromJSON(
    JSON.parse(await rig.ok("get", "instance", `zt/${id}`, "-o", "json")),
  );
  const [found] = instances;
  if (found === undefined) throw new Error(`there is no instance ${id}`);
  return toPortName(found.uid, index);
}

async function reaches(id: string, address: string): Promise<void> {
  await eventually(async () => {
    expect(await rig.shell(id, `ping -c 1 -W 2 ${address} >/dev/null 2>&1 && echo reached`)).toContain("reached");
  }, 60_000);
}

const inSwitch = (...argv: readonly string[]) => run("ip", ["-n", rig.agent.netns, ...argv]);

describe("what is done to interfaces behind the agent's back is made good, and told", () => {
  it("a container's interface is deleted", { timeout: 120_000 }, async () => {
    await reaches("web", "10.7.0.2");
    const before = await rig.shell("web", "cat /sys/class/net/eth1/address");
    await inSwitch("link", "delete", await portOf("web", 1));
    const since = performance.now();
    await reaches("web", "10.7.0.2");
    console.log(`a container's interface was there again after ${((performance.now() - since) / 1000).toFixed(1)} s`);
    await rig.told(/^instance\.nic-healed eth1 was deleted/);
    expect(await rig.shell("web", "cat /sys/class/net/eth1/address")).toBe(before);
  });

  it("the filters of a port are removed", { timeout: 120_000 }, async () => {
    const port = await portOf("web", 1);
    const filters = async () =>
      (await run("tc", ["-n", rig.agent.netns, "filter", "show", "dev", port, "egress"])).stdout;
    const count = async () => (await filters()).split("\n").filter((line) => /^filter .*(u32|bpf)/.test(line)).length;
    const before = await count();
    expect(before).toBeGreaterThan(0);
    for (const change of [
      ["qdisc", "delete", "dev", port, "clsact"],
      ["filter", "delete", "dev", port, "egress"],
    ]) {
      await run("tc", ["-n", rig.agent.netns, ...change]);
      expect(await count()).toBe(0);
      await expect.poll(count).toBe(before);
    }
    await reaches("web", "10.7.0.2");
    await rig.told(/^instance\.nic-healed the kernel's filters of eth1 were removed/);
  });

  it("a machine's tap is deleted: told with what to do, where its bus lets no device go", {
    timeout: 240_000,
  }, async () => {
    const setUp = "ip link set eth0 up; ip address replace 10.7.0.3/24 dev eth0";
    await rig.shell("vm", setUp);
    await reaches("vm", "10.7.0.2");
    await inSwitch("link", "delete", await portOf("vm", 0));
    await eventually(async () => {
      expect(await rig.ok("describe", "instance", "zt/vm")).toMatch(/eth0 was deleted on the host.*stop and start it/);
    });
    await rig.ok("stop", "zt/vm");
    await rig.ok("start", "zt/vm");
    await eventually(() => rig.ok("exec", "zt/vm", "--", "true"), 120_000);
    expect(await rig.ok("describe", "instance", "zt/vm")).not.toContain("was deleted on the host");
    await rig.shell("vm", setUp);
    await reaches("vm", "10.7.0.2");
  });

  it("the names of the net namespaces are removed: the lans' while the agent runs, all while it is away", {
    timeout: 240_000,
  }, async () => {
    const names = async () =>
      (await readdir("/run/netns")).filter(
        (name) => name === rig.agent.netns || name.startsWith(`${rig.agent.netns}.`),
      );
    const inodes = async () =>
      Object.fromEntries(
        await Promise.all((await names()).map(async (name) => [name, (await stat(`/run/netns/${name}`)).ino])),
      );
    const before = await inodes();
    expect(Object.keys(before)).toHaveLength(3);
    await run("ip", ["netns", "delete", rig.agent.netns]);
    await expect.poll(inodes).toEqual(before);
    await reaches("web", "10.7.0.2");
    await rig.agent.end("SIGKILL");
    for (const name of Object.keys(before)) await run("ip", ["netns", "delete", name]);
    await rig.startAgent();
    await rig.answers();
    await expect.poll(inodes).toEqual(before);
    await reaches("web", "10.7.0.2");
    await rig.ok("create", "lan", "zt/lan2");
    await rig.ok("delete", "lan", "zt/lan2", "--yes");
  });

  it("is made good and told too when the agent was away", { timeout: 240_000 }, async () => {
    await rig.agent.end("SIGKILL");
    for (const port of await portsOfInstances()) await inSwitch("link", "delete", port);
    await rig.startAgent();
    await rig.answers();
    await reaches("web", "10.7.0.2");
    await eventually(async () => {
      expect(await rig.ok("describe", "instance", "zt/vm")).toMatch(/eth0 was deleted on the host.*stop and start it/);
    });
  });
});

/** All ports of instances. */
async function portsOfInstances(): Promise<readonly string[]> {
  const { stdout } = await run("ip", ["-n", rig.agent.netns, "-j", "link", "show"]);
  const links = JSON.parse(stdout) as readonly { readonly ifname: string; readonly ifalias?: string }[];
  return links.filter(({ ifalias }) => ifalias?.includes("zor-instance=") === true).map(({ ifname }) => ifname);
}
