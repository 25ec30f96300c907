import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EventDraft } from "../../../../../agent/kinds/instance/context.js";
import type { DurableWriter } from "../../../../../agent/kit/spec-directory.js";
import { LanManager } from "../../../../../agent/kinds/lan/lan-manager.js";
import { unavailable } from "../../../../../lib/errors.js";
import { writeFileAtomic } from "../../../../../lib/files.js";
import { parseId } from "../../../../../lib/names.js";
import type { LanSpec } from "../../../../../proto/gen/zor/v1/lan.js";
import { FakeHostNetwork } from "../../../../fakes/host-network.js";

let directory: string;
let network: FakeHostNetwork;
let events: EventDraft[];
let nics: string[];
let diskFailure: unknown;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-lan-"));
  network = new FakeHostNetwork();
  events = [];
  nics = [];
  diskFailure = undefined;
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function open(): Promise<LanManager> {
  const write: DurableWriter = (path, content, options) =>
    diskFailure === undefined ? writeFileAtomic(path, content, options) : Promise.reject(diskFailure);
  const manager = new LanManager({
    host: "h1",
    lans: network.toPart().lans,
    directory,
    publish: () => undefined,
    removed: () => undefined,
    emit: (event) => events.push(event),
    logError: () => undefined,
    nicsInLan: () => nics,
    now: () => new Date(),
    write,
  });
  await manager.restoreAll();
  return manager;
}

const options = { validateOnly: false, caller: "zor://user/tester" };
const wanted = (id: string, spec?: LanSpec) => ({ id: parseId("id", id), labels: {}, spec });

describe("lans", () => {
  it("are made at the switch, and made again by the next agent with the same uid", async () => {
    const made = await (await open()).create(wanted("lan1", { mtu: 9000, rstp: true }), options);
    network.lans.clear();
    const again = (await open()).get("lan1");
    expect(again).toMatchObject({ uid: made.uid, spec: { mtu: 9000, rstp: true } });
    expect(network.lans.get("lan1")?.uid).toBe(made.uid);
  });

  it.each([575, 9217, -1])("refuse an MTU of %i bytes", async (mtu) => {
    await expect((await open()).create(wanted("lan1", { mtu, rstp: false }), options)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [{ field: "lan.spec.mtu" }],
    });
  });

  it("leave nothing behind on a full disk", async () => {
    const manager = await open();
    diskFailure = Object.assign(new Error("no space"), { code: "ENOSPC" });
    await expect(manager.create(wanted("lan1"), options)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(manager.list()).toEqual([]);
    expect(network.lans.size).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });

  it("leave nothing behind when the switch refuses", async () => {
    const manager = await open();
    network.failNextEnsure = unavailable("SWITCH_UNAVAILABLE", "", "the switch is away");
    await expect(manager.create(wanted("lan1"), options)).rejects.toMatchObject({ reason: "SWITCH_UNAVAILABLE" });
    expect(manager.list()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  it("that cannot be made again are shown with the reason", async () => {
    await (await open()).create(wanted("lan1"), options);
    network.lans.clear();
    network.failNextEnsure = unavailable("SWITCH_UNAVAILABLE", "", "the switch is away");
    expect((await open()).get("lan1").status?.reason).toBe("could not make hosts/h1/lans/lan1: the switch is away");
  });

  it("cannot be deleted while a NIC or a link end is, or will be, in them", async () => {
    const manager = await open();
    await manager.create(wanted("lan1"), options);
    nics = ["hosts/h1/instances/c1/nics/eth0"];
    await expect(manager.delete("lan1", options)).rejects.toMatchObject({ reason: "LAN_IN_USE" });
    nics = [];
    network.lans.get("lan1")?.plugged.set("links/l1", "");
    await expect(manager.delete("lan1", options)).rejects.toThrow("in use by links/l1");
    network.lans.get("lan1")?.plugged.clear();
    await manager.delete("lan1", options);
    expect(manager.list()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  it("whose files are all damaged are found at the switch and kept", async () => {
    const { uid } = await (await open()).create(wanted("lan1"), options);
    await writeFile(join(directory, "lan1", "spec.json"), "{");
    await writeFile(join(directory, "lan1", "spec.bak.json"), "");
    const manager = await open();
    expect(manager.get("lan1").uid).toBe(uid);
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["lan.file-damaged", "lan.adopted"]));
    expect((await open()).get("lan1").uid).toBe(uid);
  });
});
