import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { findLink } from "../../../agent/network/ip.js";
import { useKernelDefaults } from "../../../agent/network/netns.js";
import { Ports } from "../../../agent/network/ports.js";
import { NetworkFixture } from "./fixture.js";

let net: NetworkFixture;

beforeEach(async () => {
  net = await NetworkFixture.open();
});

afterEach(async () => {
  await net.destroy();
});

const veth = {
  instanceUid: "aaa",
  nicIndex: 0,
  nic: "eth0",
  mac: "02:00:00:00:00:0a",
  mtu: 1400,
  addresses: ["10.77.0.1/24", "fd77::1/64"],
};

describe("interfaces of instances", () => {
  it("give a machine a persistent tap with a virtio-net header", async () => {
    const port = await net.ports.ensureTap({ instanceUid: "vm1", nicIndex: 0, mtu: 9000 });
    const [tap] = JSON.parse((await run("ip", ["-n", net.netns, "-j", "-d", "link", "show", "dev", port])).stdout);
    // Room for tags in front of a full packet.
    expect(tap).toMatchObject({ mtu: 9064, linkinfo: { info_data: { type: "tap", vnet_hdr: true, persist: true } } });
    const again = await net.ports.ensureTap({ instanceUid: "vm1", nicIndex: 0, mtu: 9000 });
    expect([again, (await findLink(port, { netns: net.netns }))?.ifindex]).toEqual([port, tap.ifindex]);
  });

  it("give a container an interface with name, MAC, MTU and addresses, and loopback", async () => {
    await net.ports.ensureVeth(veth);
    const netns = await net.ports.ensureContainerNetns("aaa");
    const nic = await findLink("eth0", { netns });
    expect(nic).toMatchObject({ address: veth.mac, mtu: 1400, flags: expect.arrayContaining(["UP"]) });
    const addresses = (nic?.addr_info ?? []).map((info) => `${info.local}/${info.prefixlen}`);
    expect(addresses).toEqual(expect.arrayContaining(veth.addresses));
    expect((await findLink("lo", { netns }))?.flags).toContain("UP");
  });

  it("begin with the kernel's settings, whatever the host has set for itself", async () => {
    const show =
      "cd /proc/sys/net/ipv4/conf && for file in */*; do echo $file $(cat $file); done; cat ../../ipv6/conf/*/forwarding";
    const likeTheHost = `
      for file in forwarding rp_filter arp_ignore proxy_arp log_martians; do echo 1 >/proc/sys/net/ipv4/conf/all/$file; done
      for file in rp_filter arp_filter accept_local; do echo 1 >/proc/sys/net/ipv4/conf/default/$file; done
      for file in send_redirects shared_media; do echo 0 >/proc/sys/net/ipv4/conf/all/$file; done
      echo 1 >/proc/sys/net/ipv6/conf/all/forwarding`;
    const fresh = ["--net", "sh", "-c"];
    const { stdout: changed } = await run("unshare", [...fresh, `${likeTheHost}; ${show}`]);
    const { stdout: mended } = await run("unshare", [...fresh, `${likeTheHost}; ${useKernelDefaults} ${show}`]);
    expect(changed).toContain("all/forwarding 1\n");
    await net.ports.ensureContainerNetns("aaa");
    const netns = await net.ports.ensureContainerNetns("aaa");
    const { stdout: made } = await run("sh", ["-c", show], { netns });
    expect(mended).toBe(made);
    expect(made).toContain("all/forwarding 0\n");
    expect(made).toContain("default/rp_filter 0\n");
    expect(made).toContain("all/send_redirects 1\n");
  });

  it("stay the agent's own, whatever a container writes on its loopback interface", async () => {
    await net.ports.ensureVeth(veth);
    const netns = await net.ports.ensureContainerNetns("aaa");
    for (const alias of ["zor-agent=another", ""]) {
      await run("ip", ["-n", netns, "link", "set", "dev", "lo", "alias", alias]);
      expect(await net.ports.ensureContainerNetns("aaa")).toBe(netns);
      expect((await net.ports.listOwned()).netns).toEqual([netns]);
    }
    await net.ports.removeContainerNetns("aaa");
    expect((await net.ports.listOwned()).netns).toEqual([]);
    expect((await run("ip", ["netns", "list"])).stdout).not.toContain(netns);
  });

  it("are the same ones when asked for again", async () => {
    const port = await net.ports.ensureVeth(veth);
    const before = await findLink(port, { netns: net.netns });
    expect(await net.ports.ensureVeth(veth)).toBe(port);
    expect(await findLink(port, { netns: net.netns })).toEqual(before);
  });

  it("are made whole when half of them is gone", async () => {
    await net.ports.ensureVeth(veth);
    const netns = await net.ports.ensureContainerNetns("aaa");
    await run("ip", ["-n", netns, "link", "delete", "dev", "eth0"]);
    const port = await net.ports.ensureVeth(veth);
    expect((await findLink("eth0", { netns }))?.link_index).toBe((await findLink(port, { netns: net.netns }))?.ifindex);
  });

  it("refuse hostile names before anything is made", async () => {
    await expect(net.ports.ensureVeth({ ...veth, nic: "x\nlink" })).rejects.toMatchObject({ code: 3 });
    expect(await net.ports.listOwned()).toEqual({ ports: [], netns: [] });
  });

  it("are listed with their instance, and removed only when they are ours", async () => {
    const tap = await net.ports.ensureTap({ instanceUid: "vm1", nicIndex: 0, mtu: 1500 });
    const port = await net.ports.ensureVeth(veth);
    await run("ip", ["-n", net.netns, "tuntap", "add", "dev", "ztother", "mode", "tap"]);
    const owned = await net.ports.listOwned();
    expect([...owned.ports].sort((a, b) => a.instanceUid.localeCompare(b.instanceUid))).toEqual([
      { port, instanceUid: "aaa" },
      { port: tap, instanceUid: "vm1" },
    ]);
    expect(owned.netns).toHaveLength(1);

    const stranger = new Ports({ netns: net.netns, agentUid: "someone-else" });
    expect(await stranger.listOwned()).toEqual({ ports: [], netns: [] });
    await stranger.removePort(tap);
    await net.ports.removePort("ztother");
    expect(await findLink(tap, { netns: net.netns })).toBeDefined();
    expect(await findLink("ztother", { netns: net.netns })).toBeDefined();

    await net.ports.removePort(tap);
    await net.ports.removePort(tap);
    await net.ports.removePort(port);
    await net.ports.removeContainerNetns("aaa");
    expect(await net.ports.listOwned()).toEqual({ ports: [], netns: [] });
  });
});
