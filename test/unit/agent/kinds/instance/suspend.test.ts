import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { EndKind, Instance, InstanceState } from "../../../../../proto/gen/zor/v1/instance.js";
import { FakeDriver } from "../../../../fakes/driver.js";
import { InstanceWorld, make, options } from "./instance-world.js";

let world: InstanceWorld;
let manager: InstanceManager;

beforeEach(async () => {
  world = await InstanceWorld.create();
  manager = await world.agent();
  await make(manager, "c1");
});
afterEach(() => world.destroy());

const suspend = () => manager.suspend("c1", { ...options, progress: () => undefined });
const statusOf = () => manager.get("c1").status;
const { INSTANCE_STATE_RUNNING: running, INSTANCE_STATE_SUSPENDED: suspended } = InstanceState;

async function setCpus(cpus: number): Promise<void> {
  const wanted = Instance.fromPartial({ name: "hosts/h1/instances/c1", spec: { cpus } });
  await manager.update("c1", { wanted, mask: ["spec.cpus"] }, options);
}

describe("a suspended instance", () => {
  it("is shown as such, also by the next agent, and goes on from its memory", async () => {
    for (const guest of world.driver.guests.values()) guest.past = "counting 41";
    await suspend();
    const lastEnd = { kind: EndKind.END_KIND_SUSPENDED, requestedBy: options.caller };
    expect(statusOf()).toMatchObject({ state: suspended, pid: 0n, lastEnd });
    expect(world.network.prepared.size).toBe(0);
    manager = await world.agent();
    expect(statusOf()?.state).toBe(suspended);
    await manager.act("start", "c1", options);
    expect(statusOf()?.state).toBe(running);
    expect([...world.driver.guests.values()][0]?.past).toBe("counting 41");
    await manager.act("stop", "c1", options);
    expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
  });

  it("runs on when it could not be suspended", async () => {
    world.driver.failNext("suspend", new Error("the disk is full"));
    await expect(suspend()).rejects.toThrow("the disk is full");
    expect(statusOf()?.state).toBe(running);
    manager = await world.agent();
    expect(statusOf()?.state).toBe(running);
  });

  it.each([
    ["before", running],
    ["after", suspended],
  ] as const)("is one or the other when its agent is killed %s its memory is whole", async (when, state) => {
    world.driver.hold("suspend");
    void suspend().catch(() => undefined);
    await expect.poll(() => world.driver.calls).toContain("suspend c1");
    world.driver.forgetHold("suspend");
    for (const [uid, { past }] of when === "after" ? world.driver.guests : []) {
      world.driver.memories.set(uid, past);
      world.driver.guests.delete(uid);
    }
    manager = await world.agent();
    expect(statusOf()?.state).toBe(state);
    if (state === suspended) await manager.act("start", "c1", options);
    expect(statusOf()?.state).toBe(running);
  });

  it("is not started as another machine, and says what to do", async () => {
    await suspend();
    await setCpus(2);
    await expect(manager.act("start", "c1", options)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "SUSPENDED_SPEC_CHANGED",
      message: expect.stringMatching(/\(cpus\).*zor stop h1\/c1/),
    });
    expect(statusOf()?.state).toBe(suspended);
    await setCpus(1);
    await manager.act("start", "c1", options);
    expect(statusOf()?.state).toBe(running);
  });

  it("goes on whatever is said of its life and its schedules meanwhile", async () => {
    Object.assign(world.driver.can, { snapshot: {} });
    await suspend();
    const spec = { schedules: [{ name: "daily", action: "SCHEDULE_ACTION_SNAPSHOT", at: "03:00", keep: 3 }] };
    const wanted = Instance.fromJSON({ name: "hosts/h1/instances/c1", spec: { ...spec, deleteProtection: true } });
    await manager.update("c1", { wanted, mask: ["spec.schedules", "spec.delete_protection"] }, options);
    await manager.act("start", "c1", options);
    expect(statusOf()?.state).toBe(running);
  });

  it("keeps its disks as they are", async () => {
    const driver = new FakeDriver({ kind: "qemu", options: { case: "qemu" } });
    driver.timingOf = () => ({ when: "now" });
    world.drivers = [driver];
    manager = await world.agent();
    const specWith = (disks: object) => {
      const { spec } = Instance.fromJSON({ spec: { qemu: { kernel: "micro", disks } } });
      if (spec === undefined) throw new Error("the spec is there");
      return spec;
    };
    await make(manager, "vm1", { spec: specWith([{ name: "disk0", sizeMib: "8", persistent: true }]) });
    await manager.suspend("vm1", { ...options, progress: () => undefined });
    const wanted = Instance.fromPartial({ name: "hosts/h1/instances/vm1", spec: specWith([]) });
    await expect(manager.update("vm1", { wanted, mask: ["spec.qemu.disks"] }, options)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "INSTANCE_SUSPENDED",
      message: expect.stringContaining("zor stop"),
    });
    expect(driver.changes).toEqual([]);
    await manager.act("start", "vm1", options);
  });

  it("is not changed while something works at it, except in its life and labels", async () => {
    const record = manager.record("c1");
    record.claim = { what: "backed up", operation: "hosts/h1/operations/o1" };
    await expect(setCpus(2)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, reason: "INSTANCE_BUSY" });
    const wanted = Instance.fromPartial({ name: "hosts/h1/instances/c1", labels: { a: "b" } });
    await manager.update("c1", { wanted, mask: ["labels"] }, options);
    wanted.spec = Instance.fromJSON({ spec: { deleteProtection: true } }).spec;
    await manager.update("c1", { wanted, mask: ["spec.delete_protection"] }, options);
    record.claim = undefined;
    await setCpus(2);
    expect(manager.get("c1").spec?.cpus).toBe(2);
  });

  it("loses its memory when it is stopped", async () => {
    await suspend();
    await manager.act("stop", "c1", options);
    expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    expect(world.driver.memories.size).toBe(0);
    manager = await world.agent();
    expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
  });
});

describe("a host that shuts down", () => {
  it("ends what runs as each says, and knows what to start again", async () => {
    const told: string[] = [];
    const made = async (id: string, json: object): Promise<void> => {
      const { spec } = Instance.fromJSON({ spec: { crun: { rootfs: "micro" }, ...json } });
      if (spec !== undefined) await make(manager, id, { spec });
    };
    const hostBoot = { start: "BOOT_START_LAST_STATE" };
    await made("a", { hostShutdown: { action: "SHUTDOWN_ACTION_SUSPEND" }, hostBoot });
    await made("b", { hostShutdown: { action: "SHUTDOWN_ACTION_STOP" }, hostBoot: { order: 5 } });
    await made("c", { hostShutdown: { action: "SHUTDOWN_ACTION_NONE" }, hostBoot: { order: 5 } });
    const done = manager.endWithHost((text) => told.push(text), options.signal);
    await expect.poll(() => world.driver.guests.size).toBe(1);
    await manager.observeAll(options.signal);
    expect(await done).toBe(0);
    // The last started comes first.
    expect(told[0]).toMatch(/instances\/[bc]: /);
    expect(told.toSorted()).toEqual([
      "hosts/h1/instances/a: suspended",
      "hosts/h1/instances/b: stopped",
      "hosts/h1/instances/c1: shut down",
      "hosts/h1/instances/c: left alone, as it says",
    ]);
    world.driver.guests.clear();
    world.boot = { id: "second boot", time: new Date() };
    world.driver.calls.length = 0;
    manager = await world.agent();
    await manager.startUnasked(options.signal);
    expect(world.driver.calls.filter((call) => call.startsWith("start "))).toEqual(["start a"]);
  });
});
