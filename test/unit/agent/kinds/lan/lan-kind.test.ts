import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LanKind } from "../../../../../agent/kinds/lan/lan-kind.js";
import { Keeper } from "../../../../../agent/kit/keeper.js";
import type { Use } from "../../../../../agent/kit/references.js";
import { unavailable } from "../../../../../lib/errors.js";
import { Lan, LanSpec } from "../../../../../proto/gen/zor/v1/lan.js";
import { FakeHostNetwork } from "../../../../fakes/host-network.js";
import { change, diskFull, KindWorld } from "../../kit/kind-world.js";

let world: KindWorld;
let network: FakeHostNetwork;
let nics: Use[];

beforeEach(async () => {
  world = await KindWorld.create();
  network = new FakeHostNetwork();
  nics = [];
});
afterEach(() => world.destroy());

async function open(): Promise<Keeper<Lan>> {
  const context = world.context();
  const emit = context.publisher.event.bind(context.publisher);
  const lans = new Keeper(
    new LanKind({ network: network.toPart(), host: context.host, now: context.now, emit }),
    context,
  );
  context.references.add("lan", lans);
  context.references.add("instance", { has: () => true, find: () => undefined, list: () => [], uses: () => nics });
  await lans.restore();
  return lans;
}

const wanted = (spec: object = {}) => Lan.fromPartial({ spec });
const reasonOf = (lan: Lan) => lan.status?.reason;

describe("lans", () => {
  it("are made at the switch, and made again by the next agent with the same uid", async () => {
    const made = await (await open()).create("lan1", wanted({ mtu: 9000, rstp: true }), change);
    network.lans.clear();
    const again = (await open()).get("lan1");
    expect(again).toMatchObject({ uid: made.uid, etag: made.etag, spec: { mtu: 9000, rstp: true } });
    expect(network.lans.get("lan1")?.uid).toBe(made.uid);
  });

  it.each([575, 9217, -1])("refuse an MTU of %i bytes", async (mtu) => {
    await expect((await open()).create("lan1", wanted({ mtu }), change)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [{ field: "lan.spec.mtu" }],
    });
  });

  it("leave nothing behind on a full disk", async () => {
    const lans = await open();
    world.diskFailure = diskFull;
    await expect(lans.create("lan1", wanted(), change)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(lans.list()).toEqual([]);
    expect(network.lans.size).toBe(0);
    expect(await world.files("lans")).toEqual([]);
  });

  it("leave nothing behind when the switch refuses", async () => {
    const lans = await open();
    network.failNextEnsure = unavailable("SWITCH_UNAVAILABLE", "", "the switch is away");
    await expect(lans.create("lan1", wanted(), change)).rejects.toMatchObject({ reason: "SWITCH_UNAVAILABLE" });
    expect(lans.list()).toEqual([]);
    expect(await world.files("lans")).toEqual([]);
  });

  it("tell when a port does not do what its settings say, and when it does again", async () => {
    await (await open()).create("lan1", wanted(), change);
    const port = { lan: "lan1", endpoint: "hosts/h1/instances/c1/nics/eth0" };
    network.tellPortChange({ ...port, fault: "its settings were changed" });
    network.tellPortChange({ ...port, fault: "" });
    network.tellPortChange({ ...port, fault: "it sends from too many", isViolation: true });
    network.tellPortChange({ ...port, lan: "gone", fault: "nobody can know of it" });
    expect(world.eventTypes().filter((type) => type.startsWith("lan.port"))).toEqual([
      "lan.port-changed",
      "lan.port-restored",
      "lan.port-violation",
    ]);
  });

  it("that cannot be made again are shown with the reason", async () => {
    await (await open()).create("lan1", wanted(), change);
    network.lans.clear();
    network.failNextEnsure = unavailable("SWITCH_UNAVAILABLE", "", "the switch is away");
    expect(reasonOf((await open()).get("lan1"))).toBe("could not make hosts/h1/lans/lan1: the switch is away");
  });

  it("cannot be deleted while a NIC or a link end is, or will be, in them", async () => {
    const lans = await open();
    await lans.create("lan1", wanted(), change);
    nics = [{ kind: "lan", id: "lan1", from: "hosts/h1/instances/c1/nics/eth0" }];
    await expect(lans.delete("lan1", change)).rejects.toMatchObject({
      reason: "LAN_IN_USE",
      message: "hosts/h1/lans/lan1 is in use by hosts/h1/instances/c1/nics/eth0; detach or delete it first",
    });
    nics = [];
    network.lans.get("lan1")?.plugged.set("links/l1", "");
    await expect(lans.delete("lan1", change)).rejects.toThrow("in use by links/l1");
    network.lans.get("lan1")?.plugged.clear();
    await lans.delete("lan1", change);
    expect(lans.list()).toEqual([]);
    expect(await world.files("lans")).toEqual([]);
  });

  it("whose files are all damaged are found at the switch and kept", async () => {
    const { uid } = await (await open()).create("lan1", wanted(), change);
    await writeFile(join(world.state, "lans", "lan1", "spec.json"), "{");
    await writeFile(join(world.state, "lans", "lan1", "spec.bak.json"), "");
    const lans = await open();
    expect(lans.get("lan1").uid).toBe(uid);
    expect(world.eventTypes()).toEqual(expect.arrayContaining(["lan.file-damaged", "lan.adopted"]));
    expect((await open()).get("lan1").uid).toBe(uid);
  });

  it("can have other labels, but no other MTU: that is refused and named", async () => {
    const lans = await open();
    const made = await lans.create("lan1", wanted({ mtu: 1400 }), change);
    const labelled = { ...made, labels: { site: "paris" } };
    const changed = await lans.update("lan1", { wanted: labelled, mask: undefined }, change);
    expect(changed).toMatchObject({ labels: { site: "paris" }, spec: { mtu: 1400 } });
    const other = { ...made, etag: "", spec: LanSpec.fromPartial({ mtu: 9000 }) };
    await expect(lans.update("lan1", { wanted: other, mask: undefined }, change)).rejects.toMatchObject({
      violations: [{ field: "lan.spec.mtu" }],
    });
    await expect(lans.update("lan1", { wanted: other, mask: ["spec.mtu"] }, change)).rejects.toMatchObject({
      violations: [{ field: "update_mask" }],
    });
  });
});

describe("settings of lans", () => {
  it("are given to the switch, and changed there", async () => {
    const lans = await open();
    const made = await lans.create("lan1", wanted({ rstp: true, rstpSettings: { priority: 4096 } }), change);
    expect(network.lans.get("lan1")?.settings).toMatchObject({ rstpSettings: { priority: 4096 }, flood: false });
    const flooding = { ...made, etag: "", spec: LanSpec.fromPartial({ ...made.spec, flood: true }) };
    await lans.update("lan1", { wanted: flooding, mask: ["spec.flood"] }, change);
    expect(network.lans.get("lan1")?.settings).toMatchObject({ rstpSettings: { priority: 4096 }, flood: true });
  });

  it.each([
    ["rstp_settings", { rstpSettings: { priority: 0 } }],
    ["rstp_settings.priority", { rstp: true, rstpSettings: { priority: 4097 } }],
    ["rstp_settings.priority", { rstp: true, rstpSettings: { priority: -4096 } }],
    ["rstp_settings.priority", { rstp: true, rstpSettings: { priority: 65_536 } }],
    ["rstp_settings.forward_delay_seconds", { rstp: true, rstpSettings: { forwardDelaySeconds: 31 } }],
    ["rstp_settings.max_age_seconds", { rstp: true, rstpSettings: { maxAgeSeconds: 5 } }],
    ["rstp_settings.max_age_seconds", { rstp: true, rstpSettings: { forwardDelaySeconds: 4 } }],
    ["multicast_snooping", { flood: true, multicastSnooping: {} }],
    ["multicast_snooping.table_size", { multicastSnooping: { tableSize: -1 } }],
    ["multicast_snooping.ageing_seconds", { multicastSnooping: { ageingSeconds: 14 } }],
    ["rspans[0].vlan", { rspans: [{ mirror: "a", vlan: 4095 }] }],
    ["rspans[0].mirror", { rspans: [{ mirror: "a b", vlan: 5 }] }],
    ["rspans[1].vlan", { rspans: ["a", "b"].map((mirror) => ({ mirror, vlan: 5 })) }],
    ["rspans[1].mirror", { rspans: [5, 6].map((vlan) => ({ mirror: "a", vlan })) }],
    ["rspans", { rspans: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((vlan) => ({ mirror: `m${vlan}`, vlan })) }],
  ])("refuse a bad %s", async (field, spec) => {
    await expect((await open()).create("lan1", wanted(spec), change)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [{ field: `lan.spec.${field}` }],
    });
    expect(network.lans.size).toBe(0);
  });

  it("keep RSTP on: loops may rely on it", async () => {
    const lans = await open();
    const made = await lans.create("lan1", wanted(), change);
    const on = { ...made, etag: "", spec: LanSpec.fromPartial({ ...made.spec, rstp: true }) };
    await lans.update("lan1", { wanted: on, mask: ["spec.rstp"] }, change);
    const off = { ...on, spec: LanSpec.fromPartial({ ...made.spec, rstp: false }) };
    await expect(lans.update("lan1", { wanted: off, mask: ["spec.rstp"] }, change)).rejects.toMatchObject({
      violations: [{ field: "lan.spec.rstp" }],
    });
  });
});
