import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { rspanFlowBuild } from "../../../agent/network/lans/rspan-flows.js";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { toPortName } from "../../../agent/network/names.js";
import { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { eventually } from "../../helpers/eventually.js";
import { crossFrames, type Place } from "../../helpers/raw-frames.js";
import { NetworkFixture, ping } from "../../integration/network/fixture.js";

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

async function bridgeOf(lan: string): Promise<string> {
  return await net.vsctl("--bare", "--columns=name", "find", "Bridge", `external_ids:zor-lan=${lan}`);
}
