import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { type InstanceSpec, InstanceState } from "../../../../../proto/gen/zor/v1/instance.js";
import { FakeDriver } from "../../../../fakes/driver.js";
import { diskFull, InstanceWorld, make, options } from "./instance-world.js";

let world: InstanceWorld;
let first: InstanceManager;

beforeEach(async () => {
  world = await InstanceWorld.create();
  first = await world.agent();
});
afterEach(() => world.destroy());

const files = (id: string): string[] => readdirSync(world.file(id, ""));
const halve = (path: string): void => truncateSync(path, Math.floor(readFileSync(path).length / 2));

describe("a restarted agent", () => {
  it("finds what runs, with the same pid and interfaces, and starts nothing", async () => {
    await make(first, "c1");
    const before = first.get("c1");
    const calls = world.driver.calls.length;
    const second = await world.agent();
    expect(second.get("c1")).toMatchObject({ ...before, status: { ...before.status, observeTime: expect.any(Date) } });
    expect(world.driver.calls.slice(calls)).toEqual(["recover c1"]);
    expect(world.network.lans.get("lan1")?.plugged.size).toBe(1);
  });

  it("records where the devices of an instance are whose agent recorded none, and goes by the record from then on", async () => {
    await make(first, "c1");
    const placing = (address: string) =>
      Object.assign(world.driver, {
        placing: {
          placeDevices: (spec: InstanceSpec): InstanceSpec =>
            spec.nics.every(({ deviceAddress }) => deviceAddress !== "")
              ? spec
              : { ...spec, nics: spec.nics.map((nic) => ({ ...nic, deviceAddress: address })) },
        },
      });
    placing("old");
    const placeOf = (manager: InstanceManager) =>
      manager.get("c1").spec?.nics.map(({ deviceAddress }) => deviceAddress);
    expect(placeOf(await world.agent())).toEqual(["old"]);
    placing("new");
    expect(placeOf(await world.agent())).toEqual(["old"]);
  });

  it("shows what ended meanwhile as stopped, says so and releases its interfaces", async () => {
    await make(first, "c1");
    world.driver.guests.clear();
    const second = await world.agent();
    expect(second.get("c1").status).toMatchObject({
      state: InstanceState.INSTANCE_STATE_STOPPED,
      reason: "ended while the agent was not running",
    });
    expect(world.network.prepared.size).toBe(0);
    expect(world.events.at(-1)).toMatchObject({ type: "instance.stopped" });
  });

  it("says of what ended with the host that it did, and goes on saying so until the next start", async () => {
    await make(first, "c1");
    world.driver.guests.clear();
    // Whatever the driver makes of it: what it would look at is of another run of the host.
    world.driver.endReason = "its first process ended with exit code 1";
    world.boot = { id: "second boot", time: new Date("2026-11-26T09:00:00.250Z") };
    const reason = "the host was restarted at 2026-11-26T09:00:00Z while it ran; start it again with: zor start";
    const stopped = { state: InstanceState.INSTANCE_STATE_STOPPED, reason };
    const second = await world.agent();
    expect(second.get("c1").status).toMatchObject(stopped);
    expect(world.events.at(-1)).toMatchObject({ type: "instance.stopped", message: reason });
    world.driver.endReason = "";
    await second.observeAll(options.signal);
    expect(second.get("c1").status).toMatchObject(stopped);
    const third = await world.agent();
    expect(third.get("c1").status).toMatchObject(stopped);
    await third.act("start", "c1", options);
    await third.act("stop", "c1", options);
    expect((await world.agent()).get("c1").status).toMatchObject({ ...stopped, reason: "" });
  });

  it("goes on saying why an instance failed", async () => {
    await make(first, "c1");
    world.driver.guests.clear();
    world.driver.endReason = "its first process was ended by signal 9";
    const second = await world.agent();
    const failed = {
      state: InstanceState.INSTANCE_STATE_FAILED,
      reason: "its first process was ended by signal 9, while the agent was not running",
    };
    expect(second.get("c1").status).toMatchObject(failed);
    expect(world.events.at(-1)).toMatchObject({ type: "instance.failed" });
    world.driver.endReason = "";
    expect((await world.agent()).get("c1").status).toMatchObject(failed);
  });

  it("does not take a process for the instance's that has its pid since the host was restarted", async () => {
    await make(first, "c1");
    world.boot = { id: "second boot", time: undefined };
    const known: unknown[] = [];
    const recover = world.driver.recover.bind(world.driver);
    world.driver.recover = (instance, handle, callOptions) => {
      known.push(handle);
      return recover(instance, handle, callOptions);
    };
    await world.agent();
    expect(known).toEqual([undefined]);
  });

  it("finds what runs when the handle was lost, because the agent was killed while starting it", async () => {
    await make(first, "c1");
    await rm(world.file("c1", "handle.json"));
    const second = await world.agent();
    expect(second.get("c1").status?.pid).toBe(first.get("c1").status?.pid);
    expect(files("c1")).toContain("handle.json");
  });

  it("keeps the instances of a driver that it does not have as they are, says so, and touches nothing of them", async () => {
    await make(first, "c1");
    const { pid } = first.get("c1").status ?? {};
    const kept = files("c1");
    world.drivers = [new FakeDriver({ kind: "qemu", options: { case: "qemu" } })];
    const second = await world.agent();
    await second.observeAll(options.signal);
    expect(second.get("c1")).toMatchObject({
      spec: { driver: { $case: "crun" } },
      status: {
        state: InstanceState.INSTANCE_STATE_UNKNOWN,
        reason: "could not be adopted: this agent has no driver crun; see: zor doctor",
      },
    });
    const refused = { reason: "NO_DRIVER" };
    await expect(second.act("stop", "c1", options)).rejects.toMatchObject(refused);
    await expect(second.delete("c1", { ...options, force: true })).rejects.toMatchObject(refused);
    expect(files("c1")).toEqual(kept);
    world.drivers = [world.driver];
    expect((await world.agent()).get("c1").status).toMatchObject({ state: InstanceState.INSTANCE_STATE_RUNNING, pid });
  });

  it("undoes a creation that was cut short", async () => {
    world.driver.hold("create");
    void make(first, "c1").catch(() => undefined);
    await expect.poll(() => world.driver.calls).toContain("create c1");
    const second = await world.agent();
    expect(second.list()).toEqual([]);
    expect(world.driver.calls).toContain("destroy c1");
    expect(world.events.at(-1)).toMatchObject({ type: "instance.create-undone" });
  });

  it("finishes a deletion that was cut short", async () => {
    await make(first, "c1");
    world.driver.hold("destroy");
    void first.delete("c1", { ...options, force: true });
    await expect.poll(() => world.driver.calls).toContain("destroy c1");
    world.driver.forgetHold("destroy");
    const second = await world.agent();
    expect(second.list()).toEqual([]);
    expect(world.driver.created.size).toBe(0);
  });

  it("keeps an instance that cannot be looked at, as unknown", async () => {
    await make(first, "c1");
    world.driver.failNext("recover", new Error("the runtime is away"));
    const second = await world.agent();
    expect(second.get("c1").status).toMatchObject({ state: InstanceState.INSTANCE_STATE_UNKNOWN });
    await expect(second.act("start", "c1", options)).rejects.toMatchObject({ reason: "INSTANCE_RUNNING" });
    await second.observeAll(options.signal);
    expect(second.get("c1").status?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING);
  });

  it("leaves the interfaces alone of an instance that cannot be looked at and has no handle", async () => {
    await make(first, "c1");
    await rm(world.file("c1", "handle.json"));
    world.driver.failNext("recover", new Error("the runtime is away"));
    const second = await world.agent();
    expect(second.get("c1").status?.state).toBe(InstanceState.INSTANCE_STATE_UNKNOWN);
    expect(world.network.prepared.size).toBe(1);
    await expect(second.act("start", "c1", options)).rejects.toMatchObject({ reason: "INSTANCE_RUNNING" });
    expect(second.get("c1").status?.pid).toBe(first.get("c1").status?.pid);
  });

  it("looks again for an instance that could not be looked at", async () => {
    await make(first, "c1");
    await rm(world.file("c1", "handle.json"));
    world.driver.failNext("recover", new Error("the runtime is away"));
    const second = await world.agent();
    await second.observeAll(options.signal);
    expect(second.get("c1").status).toMatchObject({
      state: InstanceState.INSTANCE_STATE_RUNNING,
      pid: first.get("c1").status?.pid,
    });
    await second.act("stop", "c1", options);
    expect(world.driver.guests.size).toBe(0);
  });

  it("restores interfaces later when it could not at once, and says so meanwhile", async () => {
    await make(first, "c1");
    world.network.failNextPrepare = new Error("the switch is away");
    const second = await world.agent();
    expect(second.get("c1").status).toMatchObject({
      state: InstanceState.INSTANCE_STATE_RUNNING,
      reason: "its interfaces could not be restored: the switch is away",
    });
    await second.observeAll(options.signal);
    expect(second.get("c1").status).toMatchObject({ reason: "", nics: [{ port: "port-eth0" }] });
  });

  it("removes interfaces that belong to no instance", async () => {
    await make(first, "c1");
    world.network.prepared.add("of-nobody");
    await world.agent();
    expect([...world.network.prepared]).toEqual([first.get("c1").uid]);
  });
});

describe("a damaged file", () => {
  it.each(["spec.json", "spec.bak.json"])("%s is set aside and reported, and nothing is lost", async (file) => {
    await make(first, "c1");
    const before = first.get("c1");
    halve(world.file("c1", file));
    const second = await world.agent();
    expect(second.get("c1").spec).toEqual(before.spec);
    expect(second.get("c1").status?.pid).toBe(before.status?.pid);
    expect(files("c1").filter((name) => name.startsWith(`${file}.corrupt-`))).toHaveLength(1);
    expect(files("c1")).toContain(file);
    expect(world.events.find(({ type }) => type === "instance.file-damaged")?.message).toContain(file);
  });

  it.each([
    ["a number that is none", (text: string) => text.replace(/"memoryMib": "\d+"/, '"memoryMib": "much"')],
    ["a time that is none", (text: string) => text.replace(/"createTime": "[^"]*"/, '"createTime": "soon"')],
  ])("of one copy, holding %s in whole JSON, does not hide the other", async (_, damage) => {
    await make(first, "c1");
    const path = world.file("c1", "spec.json");
    writeFileSync(path, damage(readFileSync(path, "utf8")));
    const second = await world.agent();
    expect(second.get("c1")).toMatchObject({ uid: first.get("c1").uid, createTime: first.get("c1").createTime });
    expect(world.events.map(({ type }) => type)).toContain("instance.file-damaged");
  });

  it("of the handle does not hide what runs", async () => {
    await make(first, "c1");
    writeFileSync(world.file("c1", "handle.json"), "{");
    const second = await world.agent();
    expect(second.get("c1").status?.pid).toBe(first.get("c1").status?.pid);
  });

  it("is survived on a full disk", async () => {
    await make(first, "c1");
    halve(world.file("c1", "spec.json"));
    world.diskFailure = diskFull;
    const second = await world.agent();
    expect(second.get("c1").status?.pid).toBe(first.get("c1").status?.pid);
  });

  it.each([true, false])(
    "in both copies of the spec leaves a guest that can be stopped and deleted (handle there: %s)",
    async (handle) => {
      await make(first, "c1");
      const { pid } = first.get("c1").status ?? {};
      halve(world.file("c1", "spec.json"));
      halve(world.file("c1", "spec.bak.json"));
      if (!handle) await rm(world.file("c1", "handle.json"));
      const second = await world.agent();
      const { status } = second.get("c1");
      expect(status).toMatchObject({ state: InstanceState.INSTANCE_STATE_RUNNING, pid });
      expect(status?.reason).toContain("specification was damaged");
      expect(world.network.prepared.size).toBe(1);
      await second.act("stop", "c1", options);
      expect(world.driver.guests.size).toBe(0);
      await expect(second.act("start", "c1", options)).rejects.toMatchObject({ reason: "SPEC_LOST" });
      await second.delete("c1", { ...options, force: false });
      expect(second.list()).toEqual([]);
      expect(world.network.prepared.size).toBe(0);
    },
  );
});
