import { randomBytes, randomUUID } from "node:crypto";
import { closeSync, readSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTaps } from "../../../agent/drivers/qemu/tap.js";
import { run } from "../../../agent/host/exec.js";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { toPortName } from "../../../agent/network/names.js";
import { PortSettings, VlanMode } from "../../../proto/gen/zor/v1/port.js";
import { eventually } from "../../helpers/eventually.js";
import { crossFrames, type Place } from "../../helpers/raw-frames.js";
import { NetworkFixture, until } from "../../integration/network/fixture.js";

let net: NetworkFixture;
const places = new Map<string, Place>();
const mtu = 1500;
const lan = { id: "lan1", uid: randomUUID(), mtu, rstp: false };

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan(lan);
  for (const uid of ["aaa", "bbb", "ccc", "ddd"]) {
    const { netns } = await net.plugContainer(uid, "lan1", `10.80.0.${uid.charCodeAt(0)}/24`);
    await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns });
    await run("ip", ["-n", netns, "link", "set", "eth0", "mtu", String(mtu + 64)]);
    places.set(uid, { netns, device: "eth0" });
  }
});

afterAll(() => net.destroy());

type Wanted = Parameters<typeof PortSettings.fromPartial>[0];

/** Gives a container's port these settings, as a change of its NIC does. */
async function set(uid: string, wanted: Wanted): Promise<void> {
  const endpoint = `hosts/t/instances/${uid}/nics/eth0`;
  const settings = settlePort(PortSettings.fromPartial(wanted));
  await net.lans.plug({ lan: "lan1", port: toPortName(uid, 0), endpoint, settings });
}

async function setAll(wanted: Readonly<Record<string, Wanted>>): Promise<void> {
  for (const [uid, one] of Object.entries(wanted)) await set(uid, one);
}

function at(uid: string): Place {
  const place = places.get(uid);
  if (place === undefined) throw new Error(`no container ${uid}`);
  return place;
}

/** A broadcast frame with tags in front of its content, and as much of that as the lan's MTU allows. */
function frame(tags: string, content: Buffer = randomBytes(mtu)): Buffer {
  return Buffer.concat([Buffer.from(`ffffffffffff0200000000aa${tags}88b5`, "hex"), content]);
}

/** Sends frames and expects those of these indexes, and no others, to come out of each of these containers. */
async function crosses(
  from: string,
  to: Readonly<Record<string, number[]>>,
  frames: readonly Buffer[],
  seconds?: number,
): Promise<void> {
  const wanted = Object.values(to);
  const came = await crossFrames({ from: at(from), to: Object.keys(to).map(at), frames, wanted, seconds });
  expect(Object.fromEntries(Object.keys(to).map((uid, index) => [uid, came[index]]))).toEqual(to);
}

test("access, trunk and native ports keep VLANs apart, with full frames, also after the agent is restarted", async () => {
  const wanted = {
    aaa: { vlan: { tag: 10 } },
    bbb: { vlan: { trunks: [10, 20] } },
    ccc: { vlan: { mode: VlanMode.VLAN_MODE_NATIVE_UNTAGGED, tag: 10, trunks: [10, 30] } },
    ddd: { vlan: { tag: 20 } },
  };
  await setAll(wanted);
  const content = randomBytes(mtu);
  const [plain, of10, of20, of30] = ["", "8100000a", "81000014", "8100001e"].map((tags) => frame(tags, content));
  if (plain === undefined || of10 === undefined || of20 === undefined || of30 === undefined) throw new Error("frames");
  // What an access port sends comes tagged out of a trunk, plain where the VLAN is native, and nowhere else.
  await crosses("aaa", { bbb: [1], ccc: [0], ddd: [] }, [plain, of10]);
  await net.reopen();
  await net.lans.ensureLan(lan);
  await setAll(wanted);
  // A trunk's frames come plain to the access ports of their VLAN; those of none and of VLANs that a trunk does not carry to nobody.
  await crosses("bbb", { aaa: [0], ccc: [0], ddd: [0] }, [plain, of10, of20, of30]);
});

test("a port of mode QinQ carries tagged full frames below an outer tag, and takes it off again", async () => {
  const qinq = { vlan: { mode: VlanMode.VLAN_MODE_QINQ, tag: 100 } };
  await setAll({ aaa: qinq, bbb: {}, ccc: qinq, ddd: { vlan: { tag: 10 } } });
  const content = randomBytes(mtu);
  const [inner, both] = [frame("8100000a", content), frame("88a800648100000a", content)];
  await crosses("aaa", { bbb: [1], ccc: [0], ddd: [] }, [inner, both]);
  await crosses("bbb", { aaa: [0], ccc: [0] }, [inner, both]);
});

test("a mirror copies what its source sends and gets to its end alone, is put right, and goes with its source", async () => {
  const end = { vlan: { tag: 4000 }, mirrorTo: ["span1"] };
  await setAll({ aaa: {}, bbb: { mirrorFrom: ["span1"] }, ccc: { vlan: { tag: 30 } }, ddd: end });
  await expect(set("aaa", { mirrorTo: ["span1"] })).rejects.toThrow(/mirror span1 come out of .*ddd.* already/);
  const [plain, tagged] = [frame(""), frame("81000064")];
  await crosses("bbb", { ddd: [0] }, [plain]);
  await net.vsctl("--all", "destroy", "Mirror");
  await until("the mirror to be there again", async () => (await net.vsctl("list", "Mirror")) !== "");
  // That it is in the database does not mean that the switch has it already.
  await eventually(() => crosses("aaa", { bbb: [0, 1], ddd: [0] }, [plain, tagged], 3));
  await set("bbb", {});
  expect(await net.vsctl("list", "Mirror")).toBe("");
  await crosses("bbb", { aaa: [0], ddd: [] }, [plain]);
});

test("a machine's tap has its VLAN too", async () => {
  await setAll({ aaa: { vlan: { tag: 10 } }, bbb: {}, ccc: {}, ddd: {} });
  const port = await net.ports.ensureTap({ instanceUid: "vm", nicIndex: 0, mtu });
  const settings = settlePort(PortSettings.fromPartial({ vlan: { mode: VlanMode.VLAN_MODE_TRUNK, trunks: [10] } }));
  await net.lans.plug({ lan: "lan1", port, endpoint: "hosts/t/instances/vm/nics/n0", settings });
  const [[tap = -1] = []] = openTaps(net.netns, [{ name: port, queues: 1 }]);
  try {
    const content = randomBytes(mtu);
    await crosses("bbb", { aaa: [] }, [frame("81000014")]);
    await crosses("aaa", { bbb: [1] }, [frame("", content), frame("8100000a", content)]);
    // A read waits until there is a frame: the first that comes is that of its VLAN.
    const buffer = Buffer.alloc(65_536);
    const virtioHeaderBytes = 10;
    const come = () => Buffer.from(buffer.subarray(virtioHeaderBytes, readSync(tap, buffer)));
    let came = come();
    while (!came.subarray(6, 12).equals(frame("").subarray(6, 12))) came = come();
    expect(came.toString("hex")).toBe(frame("8100000a", content).toString("hex"));
  } finally {
    closeSync(tap);
    await net.lans.unplug(port);
    await net.ports.removePort(port);
  }
});
