import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";
import { diskFull, InstanceWorld, make, options } from "./instance-world.js";

let world: InstanceWorld;
let manager: InstanceManager;

beforeEach(async () => {
  world = await InstanceWorld.create();
  manager = await world.agent();
  await make(manager, "c1");
});
afterEach(() => world.destroy());

const change = { caller: "zor://user/tester", validateOnly: false };
const pending = () => manager.get("c1").status?.pendingChanges;
const specNow = () => manager.get("c1").spec;

/** Changes the fields of a mask, given as JSON of the specification. */
function update(spec: object, mask: readonly string[], how: Partial<typeof change> = {}): Promise<Instance> {
  const wanted = Instance.fromJSON({ name: "hosts/h1/instances/c1", spec });
  return manager.update("c1", { wanted, mask: mask.map((path) => `spec.${path}`) }, { ...change, ...how });
}

/** What is plugged into a lan. */
const pluggedInto = (lan: string) =>
  [...(world.network.lans.get(lan)?.plugged.keys() ?? [])].map((name) => name.split("/").at(-1));

describe("changing what runs", () => {
  it("makes what the driver can change, keeps the rest for the next start, and says which", async () => {
    const changed = await update({ cpus: 3, memoryMib: 256 }, ["cpus", "memory_mib"]);
    expect(changed.spec).toMatchObject({ cpus: 3, memoryMib: 256n });
    expect(changed.status?.pendingChanges).toEqual(["memory_mib"]);
    expect(world.driver.changes).toEqual(["running: cpus"]);
    expect(world.events.at(-1)).toMatchObject({
      type: "instance.changed",
      message: "cpus; with the next start: memory_mib",
    });
    manager = await world.agent();
    expect(pending()).toEqual(["memory_mib"]);
    await manager.act("stop", "c1", options);
    expect(pending()).toEqual([]);
    await manager.act("start", "c1", options);
    manager = await world.agent();
    expect(pending()).toEqual([]);
    expect(specNow()).toMatchObject({ cpus: 3, memoryMib: 256n });
  });

  it("has nothing pending any more when the change is taken back", async () => {
    await update({ memoryMib: 256, crun: { environment: { A: "1" } } }, ["memory_mib", "crun.environment"]);
    expect(pending()).toEqual(["memory_mib", "crun.environment.A"]);
    await update({ memoryMib: 128 }, ["memory_mib"]);
    expect(pending()).toEqual(["crun.environment.A"]);
    await update({}, ["crun.environment"]);
    expect(pending()).toEqual([]);
    manager = await world.agent();
    expect(pending()).toEqual([]);
  });

  it("keeps what is pending when something else is changed", async () => {
    await update({ memoryMib: 256 }, ["memory_mib"]);
    const wanted = Instance.fromJSON({ name: "hosts/h1/instances/c1", labels: { a: "b" } });
    await manager.update("c1", { wanted, mask: ["labels"] }, change);
    await update({ restart: { mode: "RESTART_MODE_ALWAYS" } }, ["restart"]);
    expect(pending()).toEqual(["memory_mib"]);
  });

  it("refuses what cannot be changed, with the field and the remedy, and changes nothing", async () => {
    const before = manager.get("c1");
    await expect(update({ cpus: 2, crun: { rootfs: "other" } }, ["cpus", "crun.rootfs"])).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [{ field: "instance.spec.crun.rootfs", description: "cannot be changed; make another one" }],
    });
    await expect(update({ qemu: { kernel: "micro" } }, ["qemu"])).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    expect(manager.get("c1")).toEqual(before);
    expect(world.driver.changes).toEqual([]);
  });

  it.each([
    ["too many CPUs", { cpus: 99 }, ["cpus"], status.INVALID_ARGUMENT],
    ["a lan that is not there", { nics: [{ name: "eth0", lan: "nowhere" }] }, ["nics"], status.NOT_FOUND],
    ["a bad policy", { restart: { maxRestarts: -1 } }, ["restart"], status.INVALID_ARGUMENT],
  ])("checks the result as at creation: %s", async (_what, spec, mask, code) => {
    const before = manager.get("c1");
    await expect(update(spec, mask)).rejects.toMatchObject({ code });
    expect(manager.get("c1")).toEqual(before);
  });

  it("leaves specification and instance as they were when the driver cannot, or the disk is full", async () => {
    const before = manager.get("c1").spec;
    world.driver.failNext("change", new Error("the guest does not let go"));
    await expect(update({ cpus: 2 }, ["cpus"])).rejects.toThrow("the guest does not let go");
    expect(manager.get("c1").spec).toEqual(before);
    world.diskFailure = diskFull;
    await expect(update({ cpus: 2 }, ["cpus"])).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    world.diskFailure = undefined;
    expect(world.driver.changes).toEqual(["running: cpus", "back: cpus"]);
    manager = await world.agent();
    expect(manager.get("c1").spec).toEqual(before);
    expect(pending()).toEqual([]);
  });

  it("knows what runs, with nothing removed for good, when only the specification cannot be written", async () => {
    await update({ memoryMib: 256 }, ["memory_mib"]);
    const before = manager.get("c1");
    world.diskFailure = diskFull;
    world.failingFile = "spec.json";
    await expect(update({ cpus: 2 }, ["cpus"])).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    await expect(update({ cpus: 2, memoryMib: 128 }, ["cpus", "memory_mib"])).rejects.toThrow();
    await expect(manager.detach("c1", { ...options, nic: "eth0", lan: "lan1" })).rejects.toThrow();
    world.diskFailure = undefined;
    expect(world.driver.finishedChanges).toEqual([]);
    for (const _ of ["this agent", "the next"]) {
      expect(manager.get("c1").spec).toEqual(before.spec);
      expect(manager.get("c1").status?.nics).toEqual(before.status?.nics);
      expect(pending()).toEqual(["memory_mib"]);
      manager = await world.agent();
    }
    await update({ cpus: 2 }, ["cpus"]);
    expect(world.driver.finishedChanges).toEqual(["cpus"]);
  });

  it("only checks when asked to, and says what would be pending", async () => {
    const checked = await update({ memoryMib: 256 }, ["memory_mib"], { validateOnly: true });
    expect(checked.status?.pendingChanges).toEqual(["memory_mib"]);
    expect(specNow()?.memoryMib).toBe(128n);
    expect(pending()).toEqual([]);
  });

  it("changes what is stopped at once, with nothing pending", async () => {
    await manager.act("stop", "c1", options);
    await update({ memoryMib: 256 }, ["memory_mib"]);
    expect(pending()).toEqual([]);
    expect(world.driver.changes).toEqual(["stopped: memory_mib"]);
  });
});

describe("changing the interfaces of what runs", () => {
  const nic = (name: string, lan: string) => ({ name, lan });

  it("plugs them elsewhere, adds and removes them", async () => {
    const mac = specNow()?.nics[0]?.mac;
    await update({ nics: [nic("eth0", "lan2"), nic("eth1", "lan1")] }, ["nics"]);
    expect([pluggedInto("lan1"), pluggedInto("lan2")]).toEqual([["eth1"], ["eth0"]]);
    expect(specNow()?.nics[0]?.mac).toBe(mac);
    expect(manager.get("c1").status?.nics.map(({ name, port }) => [name, port])).toEqual([
      ["eth0", "port-eth0"],
      ["eth1", "port-eth1"],
    ]);
    await update({ nics: [nic("eth0", "lan2")] }, ["nics"]);
    expect([pluggedInto("lan1"), pluggedInto("lan2")]).toEqual([[], ["eth0"]]);
    expect(pending()).toEqual([]);
  });

  it("refuses to while those that there are could not be restored", async () => {
    world.network.failNextPrepare = new Error("the switch is away");
    manager = await world.agent();
    const before = specNow();
    const refusal = { code: status.FAILED_PRECONDITION, reason: "NO_NETWORK" };
    for (const nics of [[nic("eth0", "lan1"), nic("eth1", "lan1")], [nic("eth0", "lan2")], []])
      await expect(update({ nics }, ["nics"])).rejects.toMatchObject(refusal);
    const asked = { ...options, nic: "eth0", lan: "lan1" };
    await expect(manager.detach("c1", asked)).rejects.toMatchObject(refusal);
    expect(specNow()).toEqual(before);
    await update({ cpus: 2 }, ["cpus"]);
    await manager.observeAll(options.signal);
    await manager.detach("c1", asked);
    expect(pluggedInto("lan1")).toEqual([]);
  });

  it("keeps the places of the others: one in front goes with the next start", async () => {
    await update({ nics: [nic("eth0", "lan1"), nic("eth1", "lan2")] }, ["nics"]);
    await update({ nics: [nic("eth1", "lan2")] }, ["nics"]);
    expect(pending()).toEqual(["nics.eth0"]);
    expect(manager.get("c1").status?.nics.map(({ name }) => name)).toEqual(["eth0", "eth1"]);
    expect(manager.uses().map(({ id }) => id)).toContain("lan1");
    manager = await world.agent();
    expect(pending()).toEqual(["nics.eth0"]);
    await manager.act("stop", "c1", options);
    expect([pluggedInto("lan1"), pluggedInto("lan2")]).toEqual([[], []]);
    await manager.act("start", "c1", options);
    expect([pluggedInto("lan1"), pluggedInto("lan2")]).toEqual([[], ["eth1"]]);
  });

  it("leaves all as it was when the driver cannot", async () => {
    world.driver.failNext("change", new Error("no room"));
    await expect(update({ nics: [nic("eth0", "lan2"), nic("eth1", "lan1")] }, ["nics"])).rejects.toThrow("no room");
    expect([pluggedInto("lan1"), pluggedInto("lan2")]).toEqual([["eth0"], []]);
    expect(specNow()?.nics.map(({ name, lan }) => [name, lan])).toEqual([["eth0", "lan1"]]);
  });
});
