import { setImmediate } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Access } from "../../../../../agent/kinds/instance/access.js";
import { otherEnd } from "../../../../../agent/kinds/instance/last-end.js";
import type { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { EndKind, Instance, type InstanceSpec, InstanceState } from "../../../../../proto/gen/zor/v1/instance.js";
import { diskFull, InstanceWorld, make, options } from "./instance-world.js";

let world: InstanceWorld;
let manager: InstanceManager;
let ending: AbortController;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: new Date("2026-11-27T00:00:00Z") });
  world = await InstanceWorld.create();
  world.driver.startTime = () => new Date();
  await restartAgent();
});
afterEach(async () => {
  // What is under way in the queues of instances writes to the disk.
  await Promise.all(manager.list().map(({ uid }) => manager.observeOne(uid, options.signal)));
  ending.abort();
  vi.useRealTimers();
  await world.destroy();
});

/** A new agent that also starts what nobody asks for; the one before is as good as killed. */
async function restartAgent(): Promise<void> {
  ending?.abort();
  ending = new AbortController();
  manager = await world.agent();
  void manager.startUnasked(ending.signal);
}

/** A container's spec, as JSON has it. */
function specWith(json: object): InstanceSpec {
  const { spec } = Instance.fromJSON({ spec: { crun: { rootfs: "micro" }, ...json } });
  if (spec === undefined) throw new Error("the spec is there");
  return spec;
}

/** Waits for what is expected without the clock going on, which each look of expect.poll has it do. */
async function settled(check: () => unknown): Promise<void> {
  const end = performance.now() + 45_000;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await setImmediate();
    }
  }
}

const statusOf = (id = "c1") => manager.get(id).status;
const uidOf = (id: string): string => manager.get(id).uid;
const starts = () => world.driver.calls.filter((call) => call.startsWith("start "));
const eventTypes = () => world.events.map(({ type }) => type);

/** Ends a guest by itself, and has the agent see it. */
async function crash(id = "c1"): Promise<void> {
  world.driver.endReason = "its first process ended with exit code 7";
  world.driver.end = { kind: "exit-code", exitCode: 7 };
  world.driver.endGuest(uidOf(id));
  await manager.observeOne(uidOf(id), options.signal);
}

describe("the end of a run", () => {
  it("is told to programs and kept over a restart of the agent and the next start", async () => {
    await make(manager, "c1", { spec: specWith({}) });
    expect(statusOf()?.lastEnd).toBeUndefined();
    await crash();
    const end = { kind: EndKind.END_KIND_EXIT_CODE, exitCode: 7, text: "its first process ended with exit code 7" };
    expect(statusOf()).toMatchObject({ state: InstanceState.INSTANCE_STATE_FAILED, lastEnd: end });
    await restartAgent();
    expect(statusOf()?.lastEnd).toMatchObject(end);
    await manager.act("start", "c1", options);
    await restartAgent();
    expect(statusOf()).toMatchObject({ state: InstanceState.INSTANCE_STATE_RUNNING, lastEnd: end });
  });

  it("is found out when it came while no agent was there", async () => {
    await make(manager, "c1", { spec: specWith({}) });
    world.driver.endReason = "it was ended by signal 9";
    world.driver.end = { kind: "signal", signal: 9 };
    world.driver.endGuest(uidOf("c1"));
    await restartAgent();
    expect(statusOf()?.lastEnd).toMatchObject({ kind: EndKind.END_KIND_SIGNAL, signal: 9 });
  });

  it("names who stopped it, or asked it to shut down", async () => {
    await make(manager, "c1", { spec: specWith({}) });
    await manager.act("stop", "c1", options);
    const end = { kind: EndKind.END_KIND_REQUESTED, requestedBy: "zor://user/tester" };
    expect(statusOf()?.lastEnd).toMatchObject(end);
    await manager.act("start", "c1", options);
    const done = manager.shutDown("c1", { ...options, timeoutMs: 5000 });
    await settled(() => expect(world.driver.guests.size).toBe(0));
    await manager.observeOne(uidOf("c1"), options.signal);
    await done;
    expect(statusOf()?.lastEnd).toMatchObject({ ...end, text: expect.stringContaining("tester asked for it") });
  });

  it("is the host's restart when that is what it was", async () => {
    await make(manager, "c1", { spec: specWith({}) });
    world.driver.guests.clear();
    world.boot = { id: "second boot", time: new Date("2026-11-27T01:00:00Z") };
    await restartAgent();
    expect(statusOf()?.lastEnd).toMatchObject({ kind: EndKind.END_KIND_HOST_RESTART, time: world.boot.time });
  });

  it("is none when a start failed that could not be written down", async () => {
    await make(manager, "c1", { spec: specWith({ restart: { mode: "RESTART_MODE_ALWAYS" } }), leaveStopped: true });
    world.diskFailure = diskFull;
    world.failingFile = "end.json";
    // What would be removed when there is nothing to say.
    manager.record("c1").lastEnd = otherEnd("requested", { text: "stopped", time: new Date() });
    await expect(manager.act("start", "c1", options)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    world.diskFailure = undefined;
    expect(world.driver.guests.size).toBe(0);
    await restartAgent();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts()).toHaveLength(1);
    expect(statusOf()).toMatchObject({ state: InstanceState.INSTANCE_STATE_STOPPED, restart: undefined });
  });

  it("tells why a start failed", async () => {
    await make(manager, "c1", { spec: specWith({}), leaveStopped: true });
    world.driver.failNext("start", new Error("broken"));
    await expect(manager.act("start", "c1", options)).rejects.toThrow("broken");
    expect(statusOf()?.lastEnd).toMatchObject({ kind: EndKind.END_KIND_START_FAILED });
  });
});

describe("an instance that is to be restarted", () => {
  const policy = { restart: { mode: "RESTART_MODE_ON_FAILURE", minDelaySeconds: 10, maxRestarts: 2 } };

  it("waits, is started, waits longer, and is given up", async () => {
    await make(manager, "c1", { spec: specWith(policy) });
    await crash();
    expect(statusOf()?.restart).toEqual({ count: 0, nextTime: new Date(Date.now() + 10_000), givenUp: false });
    expect(eventTypes()).toContain("instance.restart-waiting");
    await vi.advanceTimersByTimeAsync(9999);
    expect(starts()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    await settled(() => expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
    expect(statusOf()?.restart).toEqual({ count: 1, nextTime: undefined, givenUp: false });
    await crash();
    expect(statusOf()?.restart?.nextTime).toEqual(new Date(Date.now() + 20_000));
    await vi.advanceTimersByTimeAsync(20_000);
    await settled(() => expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
    await crash();
    expect(statusOf()?.restart).toEqual({ count: 2, nextTime: undefined, givenUp: true });
    expect(eventTypes()).toContain("instance.restart-given-up");
  });

  it("waits again when it has ended before its restart is over", async () => {
    await make(manager, "c1", { spec: specWith({ restart: { mode: "RESTART_MODE_ALWAYS", maxRestarts: 3 } }) });
    world.driver.endsAtOnce = true;
    await crash();
    for (const count of [1, 2, 3]) {
      await vi.advanceTimersByTimeAsync(10_000);
      await settled(() => expect(statusOf()?.restart).toMatchObject({ count, givenUp: count === 3 }));
    }
  });

  it("goes on waiting when its agent is started again, and is started at once when the time is over", async () => {
    await make(manager, "c1", { spec: specWith(policy) });
    await crash();
    await restartAgent();
    expect(statusOf()?.restart?.nextTime).toEqual(new Date(Date.now() + 10_000));
    ending.abort();
    vi.setSystemTime(Date.now() + 60_000);
    await restartAgent();
    await vi.advanceTimersByTimeAsync(1);
    await settled(() => expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
  });

  it("is started when it ended while no agent was there", async () => {
    await make(manager, "c1", { spec: specWith(policy) });
    world.driver.endReason = "it was ended by signal 9";
    world.driver.endGuest(uidOf("c1"));
    await restartAgent();
    await vi.advanceTimersByTimeAsync(10_000);
    await settled(() => expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
  });

  it("is tried again when a restart fails", async () => {
    await make(manager, "c1", { spec: specWith(policy) });
    await crash();
    world.driver.failNext("start", new Error("no room"));
    await vi.advanceTimersByTimeAsync(10_000);
    // Told when the time of the next one runs.
    await settled(() => expect(eventTypes().filter((type) => type === "instance.restart-waiting")).toHaveLength(2));
    expect(statusOf()?.restart).toMatchObject({ count: 1, nextTime: new Date(Date.now() + 20_000) });
    expect(statusOf()?.lastEnd).toMatchObject({ kind: EndKind.END_KIND_START_FAILED });
    await vi.advanceTimersByTimeAsync(20_000);
    await settled(() => expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
  });

  it("is not started while something works at its disks, but then", async () => {
    await make(manager, "c1", { spec: specWith(policy) });
    await crash();
    const working = Promise.withResolvers<void>();
    const claim = { what: "cloned", operation: "hosts/h1/operations/o1" };
    const claimed = new Access(manager).claim("c1", claim, () => working.promise);
    await vi.advanceTimersByTimeAsync(60_000);
    await manager.observeOne(uidOf("c1"), options.signal);
    expect(starts()).toHaveLength(1);
    expect(statusOf()?.restart).toMatchObject({ count: 0, nextTime: expect.any(Date) });
    working.resolve();
    await claimed;
    await vi.advanceTimersByTimeAsync(1);
    await settled(() => expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
  });

  it("waits no more when its policy is taken away", async () => {
    await make(manager, "c1", { spec: specWith(policy) });
    await crash();
    const wanted = Instance.fromJSON({ name: "hosts/h1/instances/c1", spec: {} });
    await manager.update("c1", { wanted, mask: ["spec.restart"] }, options);
    expect(statusOf()?.restart).toBeUndefined();
    await restartAgent();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts()).toHaveLength(1);
  });

  it("waits no more when it is stopped, and says so", async () => {
    await make(manager, "c1", { spec: specWith(policy) });
    await crash();
    await manager.act("stop", "c1", options);
    expect(statusOf()?.restart).toBeUndefined();
    await restartAgent();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts()).toHaveLength(1);
    expect(eventTypes()).toContain("instance.restart-cancelled");
    await expect(manager.act("stop", "c1", options)).rejects.toMatchObject({ reason: "INSTANCE_NOT_RUNNING" });
  });

  it.each(["stop", "shutdown"] as const)("stays down when an agent is killed in the middle of a %s", async (verb) => {
    await make(manager, "c1", { spec: specWith({ restart: { mode: "RESTART_MODE_ALWAYS" } }) });
    world.driver.hold("stop");
    world.driver.deafFor = 1;
    if (verb === "stop") void manager.act("stop", "c1", options).catch(() => undefined);
    else void manager.shutDown("c1", { ...options, timeoutMs: 60_000 }).catch(() => undefined);
    await settled(() => expect(world.driver.calls).toContain(`${verb} c1`));
    world.driver.forgetHold("stop");
    world.driver.endGuest(uidOf("c1"));
    await restartAgent();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(statusOf()).toMatchObject({ state: InstanceState.INSTANCE_STATE_STOPPED, restart: undefined });
    expect(statusOf()?.lastEnd).toMatchObject({ requestedBy: "zor://user/tester" });
  });
});

describe("a host that has booted", () => {
  const boot = (start: string, order = 0, delaySeconds = 0) => ({
    hostBoot: { start: `BOOT_START_${start}`, order, delaySeconds },
  });

  /** The host goes down as if its power were cut, and comes back. */
  async function reboot(): Promise<void> {
    world.driver.guests.clear();
    world.driver.calls.length = 0;
    world.boot = { id: `boot ${world.events.length}`, time: new Date() };
    await restartAgent();
  }

  it("starts what it is told to, in order and with waits", async () => {
    await make(manager, "last", { spec: specWith(boot("LAST_STATE", 5)) });
    await make(manager, "first", { spec: specWith(boot("ALWAYS", -1, 1)), leaveStopped: true });
    await make(manager, "off", { spec: specWith(boot("LAST_STATE")), leaveStopped: true });
    await make(manager, "never", { spec: specWith({}) });
    await reboot();
    await settled(() => expect(statusOf("first")?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
    expect(starts()).toEqual(["start first"]);
    await settled(async () => {
      await vi.advanceTimersByTimeAsync(100);
      expect(starts()).toEqual(["start first", "start last"]);
    });
    await settled(() => expect(statusOf("last")?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
    expect(statusOf("never")?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
  });

  it("goes on with the rest when its agent is killed in the middle, and starts nothing twice", async () => {
    await make(manager, "a", { spec: specWith(boot("ALWAYS", 1, 30)) });
    await make(manager, "b", { spec: specWith(boot("ALWAYS", 2)) });
    await reboot();
    await settled(() => expect(statusOf("a")?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
    await vi.advanceTimersByTimeAsync(1000);
    await restartAgent();
    await settled(() => expect(statusOf("b")?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING));
    expect(starts()).toEqual(["start a", "start b"]);
    await manager.act("stop", "b", options);
    await restartAgent();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts()).toEqual(["start a", "start b"]);
  });

  it("leaves alone what is told meanwhile not to start", async () => {
    await make(manager, "a", { spec: specWith(boot("ALWAYS", 1, 30)) });
    await make(manager, "b", { spec: specWith(boot("LAST_STATE", 2)) });
    await reboot();
    await settled(() => expect(starts()).toEqual(["start a"]));
    const wanted = Instance.fromJSON({ name: "hosts/h1/instances/b", spec: {} });
    await manager.update("b", { wanted, mask: ["spec.host_boot"] }, options);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts()).toEqual(["start a"]);
  });

  it("waits for what works at the disks of one that is to be started", async () => {
    await make(manager, "a", { spec: specWith(boot("ALWAYS", 1, 1)) });
    await make(manager, "b", { spec: specWith(boot("ALWAYS", 2)) });
    await reboot();
    const working = Promise.withResolvers<void>();
    const claim = { what: "backed up", operation: "hosts/h1/operations/o1" };
    const claimed = new Access(manager).claim("b", claim, () => working.promise);
    await settled(async () => {
      await vi.advanceTimersByTimeAsync(100);
      expect(statusOf("b")?.restart?.nextTime).toBeDefined();
    });
    expect(starts()).toEqual(["start a"]);
    working.resolve();
    await claimed;
    await settled(async () => {
      await vi.advanceTimersByTimeAsync(100);
      expect(starts()).toEqual(["start a", "start b"]);
    });
  });

  it("says of what it has no room for why it is not there", async () => {
    await make(manager, "a", { spec: specWith({ memoryMib: 128, ...boot("ALWAYS") }) });
    world.memoryReserveMib = 2 ** 30;
    world.driver.takesMemory = true;
    await reboot();
    const told = { reason: expect.stringMatching(/^could not be started: .*memoryReserveMib/) };
    await settled(() => expect(statusOf("a")).toMatchObject({ state: InstanceState.INSTANCE_STATE_FAILED, ...told }));
    expect(statusOf("a")?.lastEnd).toMatchObject({ kind: EndKind.END_KIND_START_FAILED });
    expect(eventTypes()).toContain("instance.failed");
  });

  it("leaves alone what somebody stops while it waits", async () => {
    await make(manager, "a", { spec: specWith(boot("ALWAYS", 1, 30)) });
    await make(manager, "b", { spec: specWith(boot("LAST_STATE", 2)) });
    await reboot();
    await settled(() => expect(starts()).toEqual(["start a"]));
    await manager.act("stop", "b", options);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts()).toEqual(["start a"]);
  });
});

describe("an instance that is protected", () => {
  it("is not deleted, not even by force, until that is taken away", async () => {
    await make(manager, "c1", { spec: specWith({ deleteProtection: true }) });
    for (const force of [false, true]) {
      await expect(manager.delete("c1", { ...options, force })).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
        reason: "DELETE_PROTECTED",
        message: expect.stringContaining("zor set instance h1/c1 --no-protect"),
      });
    }
    expect(statusOf()?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING);
  });
});
