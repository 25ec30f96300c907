import { existsSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ToolError } from "../../../../../agent/host/exec.js";
import type { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { parseId } from "../../../../../lib/names.js";
import { InstanceState } from "../../../../../proto/gen/zor/v1/instance.js";
import { diskFull, InstanceWorld, make, options, spec } from "./instance-world.js";

let world: InstanceWorld;
let manager: InstanceManager;

beforeEach(async () => {
  world = await InstanceWorld.create();
  manager = await world.agent();
});
afterEach(() => world.destroy());

const stateOf = (id: string) => manager.get(id).status?.state;

describe("creating an instance", () => {
  it("starts it, plugs it and tells its MAC and port", async () => {
    await make(manager, "c1");
    const { status: seen, spec: made } = manager.get("c1");
    expect(seen?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING);
    expect(seen?.nics[0]?.port).toBe("port-eth0");
    expect(made?.nics[0]?.mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    expect([...(world.network.lans.get("lan1")?.plugged.keys() ?? [])]).toEqual(["hosts/h1/instances/c1/nics/eth0"]);
  });

  it("leaves it stopped when asked to", async () => {
    await make(manager, "c1", { leaveStopped: true });
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    expect(world.driver.guests.size).toBe(0);
  });

  it("leaves nothing of a reservation that is discarded", async () => {
    const wanted = { id: parseId("id", "c1"), labels: {}, annotations: {}, spec: spec() };
    const creation = await manager.create(wanted, { ...options, leaveStopped: false });
    await creation.discard();
    expect(manager.list()).toEqual([]);
    expect(world.removed).toEqual(["hosts/h1/instances/c1"]);
    expect(existsSync(world.file("c1", ""))).toBe(false);
    await make(manager, "c1");
  });

  it("refuses an id that is taken, also while the first is still being made", async () => {
    const release = world.driver.hold("create");
    const first = make(manager, "c1");
    await expect(make(manager, "c1")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    release();
    await first;
    await expect(make(manager, "c1")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
  });

  it("refuses a lan that is not there and changes nothing", async () => {
    await expect(make(manager, "c1", { spec: spec("nowhere") })).rejects.toMatchObject({
      code: status.NOT_FOUND,
      resource: "hosts/h1/lans/nowhere",
    });
    expect(manager.list()).toEqual([]);
    expect(existsSync(world.file("c1", ""))).toBe(false);
  });

  it.each(["create", "start"] as const)("leaves nothing when the driver fails to %s", async (step) => {
    world.driver.failNext(step, new Error("broken"));
    await expect(make(manager, "c1")).rejects.toThrow("broken");
    expect(manager.list()).toEqual([]);
    expect(world.driver.created.size).toBe(0);
    expect(world.network.prepared.size).toBe(0);
    expect(existsSync(world.file("c1", ""))).toBe(false);
    expect(world.removed).toEqual(["hosts/h1/instances/c1"]);
  });

  it("leaves nothing when it is cancelled", async () => {
    world.driver.hold("create");
    const abort = new AbortController();
    const made = make(manager, "c1", { signal: abort.signal });
    await expect.poll(() => world.driver.calls).toContain("create c1");
    abort.abort();
    await expect(made).rejects.toMatchObject({ code: status.CANCELLED });
    expect(manager.list()).toEqual([]);
    expect(existsSync(world.file("c1", ""))).toBe(false);
  });

  it("says that the disk is full and leaves nothing", async () => {
    world.diskFailure = diskFull;
    await expect(make(manager, "c1")).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: "DISK_FULL" });
    expect(manager.list()).toEqual([]);
    expect(existsSync(world.file("c1", ""))).toBe(false);
    expect(world.driver.calls).toEqual(["validate"]);
  });

  it("tells a full disk that only a tool noticed as such", async () => {
    const stderr = "cp: error writing '/x': No space left on device";
    const full = new ToolError({ tool: "tar", argv: [], exitCode: 1, stderr, why: "failed", cause: undefined });
    world.driver.failNext("create", full);
    await expect(make(manager, "c1")).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("tells what a tool said without the directories of the host", async () => {
    const stderr = "cannot open /var/lib/zor/agent/instances/c1/driver/rootfs.tar";
    const error = new ToolError({ tool: "tar", argv: [], exitCode: 2, stderr, why: "failed", cause: undefined });
    world.driver.failNext("create", error);
    await expect(make(manager, "c1")).rejects.toThrow(
      "could not create hosts/h1/instances/c1: tar failed: cannot open rootfs.tar;",
    );
  });
});

describe("actions", () => {
  beforeEach(() => make(manager, "c1"));

  it.each([
    ["start", "INSTANCE_RUNNING"],
    ["resume", "INSTANCE_NOT_PAUSED"],
  ] as const)("refuse to %s a running instance", async (action, reason) => {
    const running = manager.get("c1").status?.pid;
    await expect(manager.act(action, "c1", options)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason,
    });
    expect(manager.get("c1").status?.pid).toBe(running);
  });

  it.each(["stop", "pause", "resume", "reset"] as const)("refuse to %s a stopped instance", async (action) => {
    await manager.act("stop", "c1", options);
    await expect(manager.act(action, "c1", options)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "INSTANCE_NOT_RUNNING",
    });
  });

  it("stop releases the interfaces, and start makes them again", async () => {
    await manager.act("stop", "c1", options);
    expect(world.network.prepared.size).toBe(0);
    expect(existsSync(world.file("c1", "handle.json"))).toBe(false);
    await manager.act("start", "c1", options);
    expect(world.network.prepared.size).toBe(1);
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_RUNNING);
  });

  it("never shows what was before once it has begun: a start is no stop, and the other way round", async () => {
    const seen: (InstanceState | undefined)[] = [];
    world.onPublish = ({ status: now }) => {
      if (seen.at(-1) !== now?.state) seen.push(now?.state);
    };
    await manager.act("stop", "c1", options);
    await manager.act("start", "c1", options);
    expect(seen).toEqual([
      InstanceState.INSTANCE_STATE_STOPPING,
      InstanceState.INSTANCE_STATE_STOPPED,
      InstanceState.INSTANCE_STATE_STARTING,
      InstanceState.INSTANCE_STATE_RUNNING,
    ]);
  });

  it("pause, resume and reset show what the runtime says", async () => {
    const paused = await manager.act("pause", "c1", options);
    expect(paused.status?.state).toBe(InstanceState.INSTANCE_STATE_PAUSED);
    const resumed = await manager.act("resume", "c1", options);
    expect(resumed.status?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING);
    const reset = await manager.act("reset", "c1", options);
    expect(reset.status?.pid).not.toBe(resumed.status?.pid);
  });

  it("only check when asked to", async () => {
    await manager.act("stop", "c1", { ...options, validateOnly: true });
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_RUNNING);
    await expect(manager.act("start", "c1", { ...options, validateOnly: true })).rejects.toMatchObject({
      reason: "INSTANCE_RUNNING",
    });
  });

  it("of one instance run one after the other", async () => {
    const release = world.driver.hold("pause");
    const pausing = manager.act("pause", "c1", options);
    const stopping = manager.act("stop", "c1", options);
    await expect.poll(() => world.driver.calls).toContain("pause c1");
    expect(world.driver.calls).not.toContain("stop c1");
    release();
    await Promise.all([pausing, stopping]);
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_STOPPED);
  });

  it("of different instances run side by side", async () => {
    await make(manager, "c2");
    world.driver.hold("pause");
    const abort = new AbortController();
    const pausing = manager.act("pause", "c1", { ...options, signal: abort.signal });
    await manager.act("stop", "c2", options);
    expect(stateOf("c2")).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    abort.abort();
    await expect(pausing).rejects.toMatchObject({ code: status.CANCELLED });
  });

  it("keep the reason when a start fails, and undo it", async () => {
    await manager.act("stop", "c1", options);
    world.driver.failNext("start", new Error("no such kernel"));
    await expect(manager.act("start", "c1", options)).rejects.toThrow("no such kernel");
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_FAILED);
    expect(manager.get("c1").status?.reason).toContain("no such kernel");
    expect(world.network.prepared.size).toBe(0);
    await manager.observeAll(options.signal);
    expect(manager.get("c1").status?.reason).toContain("no such kernel");
    await manager.act("start", "c1", options);
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_RUNNING);
  });

  it("stop what was started when the disk is full, and say so", async () => {
    await manager.act("stop", "c1", options);
    world.diskFailure = diskFull;
    await expect(manager.act("start", "c1", options)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(world.driver.guests.size).toBe(0);
    expect(world.network.prepared.size).toBe(0);
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_STOPPED);
  });

  it("never start a second copy of a process the agent lost sight of", async () => {
    await manager.act("stop", "c1", options);
    const { uid } = manager.get("c1");
    world.driver.guests.set(uid, { state: "running", pid: 4711, past: "", directory: "" });
    await expect(manager.act("start", "c1", options)).rejects.toMatchObject({ reason: "INSTANCE_RUNNING" });
    expect(manager.get("c1").status?.pid).toBe(4711n);
  });
});

describe("shutting down", () => {
  beforeEach(() => make(manager, "c1"));

  it("waits until the guest has ended", async () => {
    const shutting = manager.shutDown("c1", { ...options, timeoutMs: 60_000 });
    await expect.poll(() => world.driver.guests.size).toBe(0);
    await manager.observeAll(options.signal);
    await shutting;
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_STOPPED);
  });

  it("asks a guest again that did not listen the first time", async () => {
    world.driver.deafFor = 1;
    const shutting = manager.shutDown("c1", { ...options, timeoutMs: 60_000 });
    await expect.poll(() => world.driver.guests.size).toBe(0);
    await manager.observeAll(options.signal);
    await shutting;
    expect(world.driver.calls.filter((call) => call === "shutdown c1").length).toBeGreaterThan(1);
  });

  it("fails and leaves a guest running that does not listen", async () => {
    world.driver.deafFor = Number.POSITIVE_INFINITY;
    await expect(manager.shutDown("c1", { ...options, timeoutMs: 20 })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "GUEST_DID_NOT_SHUT_DOWN",
    });
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_RUNNING);
    expect(world.driver.calls.at(-1)).toBe("give up c1");
  });
});

describe("deleting", () => {
  beforeEach(() => make(manager, "c1"));

  it("refuses a running instance unless forced", async () => {
    await expect(manager.delete("c1", { ...options, force: false })).rejects.toMatchObject({
      reason: "INSTANCE_RUNNING",
    });
    await manager.delete("c1", { ...options, force: true });
    expect(manager.list()).toEqual([]);
    expect(world.driver.guests.size).toBe(0);
    expect(world.driver.created.size).toBe(0);
    expect(world.network.prepared.size).toBe(0);
    expect(existsSync(world.file("c1", ""))).toBe(false);
  });

  it("works on a full disk", async () => {
    world.diskFailure = diskFull;
    await manager.delete("c1", { ...options, force: true });
    expect(existsSync(world.file("c1", ""))).toBe(false);
  });
});

describe("plugging a NIC", () => {
  beforeEach(() => make(manager, "c1"));
  const nic = { ...options, nic: "eth0", lan: "lan2" };

  it("refuses one that is plugged in, and an unknown NIC or lan", async () => {
    await expect(manager.attach("c1", nic)).rejects.toMatchObject({ reason: "NIC_PLUGGED" });
    await expect(manager.attach("c1", { ...nic, nic: "eth7" })).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(manager.attach("c1", { ...nic, lan: "x" })).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(manager.detach("c1", nic)).rejects.toMatchObject({ reason: "NIC_NOT_PLUGGED" });
  });

  it("moves a running instance from lan to lan", async () => {
    await manager.detach("c1", { ...nic, lan: "lan1" });
    expect(world.network.lans.get("lan1")?.plugged.size).toBe(0);
    const moved = await manager.attach("c1", nic);
    expect(moved.status?.nics[0]?.lan).toBe("lan2");
    expect(world.network.lans.get("lan2")?.plugged.size).toBe(1);
  });

  it("undoes the plugging when the disk is full", async () => {
    await manager.detach("c1", { ...nic, lan: "lan1" });
    world.diskFailure = diskFull;
    await expect(manager.attach("c1", nic)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(world.network.lans.get("lan2")?.plugged.size).toBe(0);
    expect(manager.get("c1").spec?.nics[0]?.lan).toBe("");
  });
});

describe("observing", () => {
  it("shows an instance that ended by itself, releases its interfaces and tells of it", async () => {
    await make(manager, "c1");
    world.driver.endGuest(manager.get("c1").uid);
    await manager.observeOne(manager.get("c1").uid, options.signal);
    expect(stateOf("c1")).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    expect(world.network.prepared.size).toBe(0);
    const ended = world.events.at(-1);
    expect(ended).toMatchObject({ type: "instance.stopped", resource: "hosts/h1/instances/c1", caller: "" });
  });

  it("names who caused a change", async () => {
    await make(manager, "c1");
    await manager.act("stop", "c1", options);
    expect(world.events.at(-1)).toMatchObject({ type: "instance.stopped", caller: "zor://user/tester" });
  });
});

describe("changing", () => {
  beforeEach(() => make(manager, "c1"));
  const change = (wanted: object, mask?: readonly string[], more: object = {}) =>
    manager.update("c1", { wanted: { ...manager.get("c1"), ...wanted }, mask }, { ...options, ...more });

  it("takes labels and annotations, while it runs and over a restart of the agent, and says so", async () => {
    const before = manager.get("c1");
    const changed = await change({ labels: { site: "paris" }, annotations: { note: "two\nlines" } });
    expect(changed).toMatchObject({ uid: before.uid, labels: { site: "paris" }, annotations: { note: "two\nlines" } });
    expect(changed.etag).not.toBe(before.etag);
    expect(changed.status).toEqual(before.status);
    expect(world.events.at(-1)).toMatchObject({
      type: "instance.changed",
      resource: before.name,
      caller: options.caller,
    });
    const { labels, annotations, etag, updateTime } = changed;
    expect((await world.agent()).get("c1")).toMatchObject({ labels, annotations, etag, updateTime });
  });

  it("names whoever was faster", async () => {
    const { etag } = manager.get("c1");
    await change({ labels: { site: "paris" } });
    await expect(change({ etag, labels: { site: "rome" } })).rejects.toMatchObject({
      code: status.ABORTED,
      reason: "ETAG_MISMATCH",
      metadata: { changedBy: options.caller },
    });
  });

  it("counts the plugging of a NIC as a change", async () => {
    const { etag } = manager.get("c1");
    await manager.detach("c1", { ...options, nic: "eth0", lan: "lan1" });
    await expect(change({ etag, labels: {} })).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
  });

  it("refuses bad labels and names them", async () => {
    await expect(change({ labels: { "a b": "" } })).rejects.toMatchObject({
      violations: [{ field: "instance.labels" }],
    });
  });

  it("is only checked where that is all that is asked for", async () => {
    const before = manager.get("c1");
    expect(await change({ labels: { a: "b" } }, ["labels"], { validateOnly: true })).toMatchObject({
      labels: { a: "b" },
    });
    expect(manager.get("c1")).toMatchObject({ labels: before.labels, etag: before.etag });
  });
});
