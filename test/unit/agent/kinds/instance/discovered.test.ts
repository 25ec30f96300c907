import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Discovering, Discovery, FoundInstance } from "../../../../../agent/drivers/abilities/discovering.js";
import type { InstanceManager } from "../../../../../agent/kinds/instance/manager.js";
import { AsyncQueue } from "../../../../../lib/async-queue.js";
import { resourceExhausted } from "../../../../../lib/errors.js";
import { InstanceSpec, InstanceState } from "../../../../../proto/gen/zor/v1/instance.js";
import { FakeDriver } from "../../../../fakes/driver.js";
import { eventually } from "../../../../helpers/eventually.js";
import { InstanceWorld, make, options } from "./instance-world.js";

/** A driver that shows what others made. */
class FindingDriver extends FakeDriver implements Discovering {
  override readonly can = {
    ...{ pause: this, reset: this, shutdown: this, console: this, exec: this, change: this, suspend: this },
    discover: this,
  };
  readonly news = new AsyncQueue<Discovery>(100);

  async *discover(signal: AbortSignal): AsyncGenerator<Discovery> {
    signal.addEventListener("abort", () => this.news.end(), { once: true });
    yield* this.news;
  }

  toAdopted({ spec }: FoundInstance): InstanceSpec {
    return { ...spec, cpus: 3 };
  }
}

let world: InstanceWorld;
let driver: FindingDriver;
let manager: InstanceManager;
let ending: AbortController;
let following: Promise<void>;

beforeEach(async () => {
  world = await InstanceWorld.create();
  driver = new FindingDriver();
  world.drivers = [driver];
  manager = await world.agent();
  ending = new AbortController();
  following = manager.discoveries.follow(ending.signal);
});

afterEach(async () => {
  ending.abort();
  await following;
  await world.destroy();
});

function tell(uid: string, id: string, state: "running" | "stopped" = "running"): void {
  const observation = { state, reason: "", pid: 0, startTime: undefined, accelerator: "", execReady: false } as const;
  const spec = InstanceSpec.fromPartial({ cpus: 999, memoryMib: 1n, driver: { $case: "crun", value: {} } });
  driver.news.push({ type: "found", found: { uid, id, spec, observation } });
}

const ids = () => manager.list().map(({ name }) => name.split("/").at(-1));
const shows = (...wanted: readonly string[]) => eventually(() => expect(ids()).toEqual(wanted));
const told = () => world.events.map(({ type, resource }) => `${type} ${resource.split("/").at(-1)}`);

describe("what drivers find", () => {
  it("is shown, refuses what would change it with the remedy, and goes when it is gone", async () => {
    tell("u1", "a");
    await shows("a");
    expect(manager.get("a")).toMatchObject({ uid: "u1", status: { state: InstanceState.INSTANCE_STATE_RUNNING } });
    const refused = { reason: "NOT_ADOPTED", message: expect.stringContaining("zor adopt h1/a") };
    await expect(manager.act("stop", "a", options)).rejects.toMatchObject(refused);
    await expect(manager.delete("a", { ...options, force: true })).rejects.toMatchObject(refused);
    driver.news.push({ type: "gone", uid: "u1" });
    await shows();
    expect(world.removed).toEqual(["hosts/h1/instances/a"]);
    expect(told()).toEqual(["instance.found a", "instance.gone a"]);
    await expect(async () => manager.get("a")).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  it("has another name when it was renamed", async () => {
    tell("u1", "a");
    tell("u1", "b", "stopped");
    await shows("b");
    expect(world.removed).toEqual(["hosts/h1/instances/a"]);
  });

  it("is an instance like any other once adopted, also for the next agent, and only let go of", async () => {
    tell("u1", "a");
    await shows("a");
    await manager.adopt("a", { ...options, validateOnly: true });
    expect(driver.calls).not.toContain("create a");
    const adopted = await manager.adopt("a", options);
    expect(adopted).toMatchObject({ uid: "u1", spec: { cpus: 3 } });
    await expect(manager.adopt("a", options)).rejects.toThrow("is adopted already");
    tell("u1", "a");
    await shows("a");
    expect((await world.agent()).get("a")).toMatchObject({ uid: "u1", spec: { cpus: 3 } });
    await manager.act("start", "a", options);
    await manager.delete("a", { ...options, force: false });
    expect(driver.guests.has("u1")).toBe(true);
    expect(driver.calls.filter((call) => call.startsWith("stop"))).toEqual([]);
    expect(manager.get("a").spec?.cpus).toBe(999);
    await expect(manager.act("stop", "a", options)).rejects.toMatchObject({ reason: "NOT_ADOPTED" });
  });

  it("is shown when an instance of its name goes, and only one of that name", async () => {
    tell("u0", "other");
    await shows("other");
    await make(manager, "a", { leaveStopped: true });
    tell("u1", "a");
    tell("u2", "a");
    tell("u3", "b");
    await shows("a", "other", "b");
    await manager.delete("a", { ...options, force: true });
    await shows("other", "b", "a");
    expect(manager.get("a").uid).toBe("u1");
    expect(told().filter((each) => each.startsWith("instance.found"))).toHaveLength(3);
  });

  it("is as before when it could not be adopted", async () => {
    tell("u1", "a");
    await shows("a");
    driver.failNext("create", new Error("no mark"));
    await expect(manager.adopt("a", options)).rejects.toThrow("no mark");
    world.diskFailure = resourceExhausted("DISK_FULL", "the disk is full");
    await expect(manager.adopt("a", options)).rejects.toThrow("the disk is full");
    world.diskFailure = undefined;
    expect(manager.get("a").spec?.cpus).toBe(999);
    expect((await world.agent()).list()).toEqual([]);
  });
});
