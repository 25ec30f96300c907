import { randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { rspanFlowBuild } from "../../../agent/network/lans/rspan-flows.js";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { toPortName } from "../../../agent/network/names.js";
import { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { eventually } from "../../helpers/eventually.js";
import { crossFrames, type Place } from "../../helpers/raw-frames.js";
import { readPcapng } from "../../helpers/pcapng-reader.js";
import { NetworkFixture, ping } from "../../integration/network/fixture.js";
import { ReachRig } from "../../integration/reach/rig.js";

let net: NetworkFixture;
const places = new Map<string, Place>();
/** Two lans, as of two hosts, with a cable between them that carries everything, as a link does. */
const [here, there] = ["lan1", "lan2"].map((id) => ({ id, uid: randomUUID(), mtu: 1500, rstp: false }));
const guests = { aaa: "lan1", bbb: "lan1", ccc: "lan2", ddd: "lan2" } as const;

beforeAll(async () => {
  net = await NetworkFixture.open();
  if (here === undefined || there === undefined) throw new Error("lans");
  await net.lans.ensureLan(here);
  await net.lans.ensureLan(there);
  net.lans.flows.settle();
  await run("ip", ["-n", net.netns, "link", "add", "cab0", "type", "veth", "peer", "name", "cab1"]);
  for (const [index, lan] of ["lan1", "lan2"].entries()) {
    await run("ip", ["-n", net.netns, "link", "set", `cab${index}`, "mtu", "1564", "up"]);
    await net.lans.plug({ lan, port: `cab${index}`, endpoint: "links/l1" });
  }
  for (const [uid, lan] of Object.entries(guests)) {
    const { netns } = await net.plugContainer(uid, lan, `10.80.0.${uid.charCodeAt(0)}/24`);
    await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns });
    places.set(uid, { netns, device: "eth0" });
  }
});

afterAll(() => net.destroy());

function at(uid: string): Place {
  const place = places.get(uid);
  if (place === undefined) throw new Error(`no container ${uid}`);
  return place;
}

async function set(uid: keyof typeof guests, wanted: Parameters<typeof PortSettings.fromPartial>[0]): Promise<void> {
  const endpoint = `hosts/t/instances/${uid}/nics/eth0`;
  const settings = settlePort(PortSettings.fromPartial(wanted));
  await net.lans.plug({ lan: guests[uid], port: toPortName(uid, 0), endpoint, settings });
}

async function carry(lan: typeof here, rspans: LanSpec["rspans"]): Promise<void> {
  if (lan === undefined) throw new Error("no lan");
  await net.lans.ensureLan({ ...lan, settings: LanSpec.fromPartial({ rspans }) });
  await net.lans.flows.set(lan.id, "rspan", rspanFlowBuild(rspans));
}

function frame(from: string, to: string): Buffer {
  return Buffer.concat([Buffer.from(`${to}${from}88b5`, "hex"), randomBytes(60)]);
}

const macOf = (uid: string): string => `020000${Buffer.from(uid).toString("hex")}`;

/** Sends a frame of one guest to another and expects both to go on, and the copy alone to come out at the probe. */
async function expectCopied(): Promise<void> {
  const copied = frame(macOf("aaa"), macOf("ccc"));
  const wanted = [[0], [0], []];
  const to = [at("ccc"), at("ddd"), at("bbb")];
  await eventually(async () =>
    expect(await crossFrames({ from: at("aaa"), to, frames: [copied], wanted, seconds: 3 })).toEqual(wanted),
  );
}

test("copies go in their VLAN over a cable to who sits in it in another lan, and nobody is learned from them", async () => {
  const rspans = [{ mirror: "span1", vlan: 300 }];
  await set("aaa", { vlan: { trunks: [0, 1] }, mirrorFrom: ["span1"] });
  await set("bbb", { vlan: { trunks: [0, 1] } });
  await set("ccc", { vlan: { trunks: [0, 1] } });
  await set("ddd", { vlan: { tag: 300 } });
  await carry(there, rspans);
  await carry(here, rspans);
  expect(await net.vsctl("get", "Mirror", "span1/vlan", "output_vlan")).toBe("300");
  await ping(at("aaa").netns, "10.80.0.99");
  await expectCopied();
  // Both are known where they are, and in the VLAN of copies nobody is.
  const macs = [...(await net.lans.flows.macs("lan1")), ...(await net.lans.flows.macs("lan2"))];
  expect(macs.filter(({ vlan }) => vlan === 300)).toEqual([]);
  // What filters say of the guest in the other lan is no matter for copies.
  await net.lans.flows.set("lan2", "acl", () => ({
    flows: ["table=20,priority=9,dl_vlan=300,actions=drop"],
  }));
  await expectCopied();
  await net.lans.flows.set("lan2", "acl", undefined);
});

test("the VLAN is kept by the switch over a restart of the agent, is put right, and goes with what the lan says", async () => {
  await net.vsctl("--all", "destroy", "Mirror");
  await eventually(async () => expect(await net.vsctl("list", "Mirror")).toContain("span1/vlan"));
  await net.reopen();
  await net.lans.plug({ lan: "lan1", port: "cab0", endpoint: "links/l1" });
  expect(await net.vsctl("get", "Mirror", "span1/vlan", "output_vlan")).toBe("300");
  await expectCopied();
  await carry(here, []);
  expect(await net.vsctl("list", "Mirror")).toBe("");
  expect(await net.vsctl("get", "Bridge", await bridgeOf("lan1"), "flood_vlans")).toBe("[]");
  const wanted = [[0], []];
  const sent = frame(macOf("aaa"), macOf("ccc"));
  const to = [at("ccc"), at("ddd")];
  expect(await crossFrames({ from: at("aaa"), to, frames: [sent], wanted })).toEqual(wanted);
});

test("said with zor, copies cross a link of the cable engine to a probe, also when the agent was killed", {
  timeout: 480_000,
}, async () => {
  const rig = await ReachRig.start();
  onTestFinished(async () => await rig[Symbol.asyncDispose]());
  const zor = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await rig.zor(...argv);
    if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
    return stdout;
  };
  await rig.createLan("lan1");
  await zor("create", "lan", "zt/lan2", "--rspan", "span1=300");
  await zor("set", "lan", "zt/lan1", "--rspan", "span1=300");
  expect(await zor("describe", "lan", "zt/lan1")).toMatch(/rspan +copies of span1 in VLAN 300/);
  const guests = {
    web: "lan=lan1,addr=10.80.0.1/24,trunk=0,mirror-from=span1",
    db: "lan=lan1,addr=10.80.0.2/24,trunk=0",
    probe: "lan=lan2,vlan=300",
  };
  for (const [id, nic] of Object.entries(guests))
    await zor("create", "instance", `zt/${id}`, "--rootfs", "micro", "--nic", nic);
  await zor("create", "link", "l1", "zt/lan1", "zt/lan2");
  const seesBoth = async (name: string): Promise<void> => {
    const file = join(rig.directory, `${name}.pcapng`);
    const capture = rig.run("capture", "zt/probe:eth0", "-f", "icmp", "-w", file);
    await eventually(async () => {
      await rig.zor("exec", "zt/db", "--", "ping", "-c", "1", "-W", "5", "10.80.0.1");
      const types = readPcapng(await readFile(file)).frames.map(({ data }) => data[34]);
      expect(types).toEqual(expect.arrayContaining([8, 0]));
    });
    capture.interrupt();
    expect(await capture.result).toMatchObject({ code: 0 });
  };
  await seesBoth("first");
  await rig.agent.end("SIGKILL");
  await rig.agent.start();
  await rig.ready();
  await seesBoth("again");
  await zor("set", "lan", "zt/lan1", "--no-rspan");
  expect(await zor("describe", "lan", "zt/lan1")).not.toContain("copies of");
  const refused = await rig.zor("create", "lan", "zt/lan3", "--rspan", "span1=300", "--rspan", "span2=300");
  expect(refused.stderr).toMatch(/rspans\[1\]\.vlan: 300 is there twice/);
});

async function bridgeOf(lan: string): Promise<string> {
  return await net.vsctl("--bare", "--columns=name", "find", "Bridge", `external_ids:zor-lan=${lan}`);
}
