import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { failedPrecondition } from "../../../../lib/errors.js";
import { SchedulerWorld } from "./scheduler-world.js";

const hour = { name: "hourly", everySeconds: 3600n, keep: 2 };
const hourMs = 3_600_000;
let state: string;
let world: SchedulerWorld;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: new Date("2026-11-27T03:00:00Z") });
  state = await mkdtemp(join(tmpdir(), "zt-sched-"));
  world = new SchedulerWorld(state);
  world.start();
  world.set("vm1");
});

afterEach(async () => {
  await world.end();
  vi.useRealTimers();
  expect(world.errors).toEqual([]);
  await rm(state, { recursive: true });
});

/** Waits for what is expected without the clock going on. */
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

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const done = (count: number) => settled(() => expect(world.log).toHaveLength(count));
const next = (id = "vm1") => world.status(id)?.nextTime?.toISOString();
const nextIs = (time: string) => settled(() => expect(next()).toBe(`2026-11-27T${time}:00.000Z`));

it("takes what is due, says when the next is, and keeps as many as it is told", async () => {
  world.set("vm1", hour);
  await nextIs("04:00");
  await pass(hourMs - 1);
  expect(world.log).toEqual([]);
  await pass(1);
  await done(1);
  await nextIs("05:00");
  expect(world.status("vm1")).toMatchObject({
    lastTaken: "hosts/h1/things/vm1.hourly-20261127-040000",
    lastTime: new Date("2026-11-27T04:00:00Z"),
    lastError: "",
  });
  for (const count of [2, 3]) {
    await pass(hourMs);
    await done(count);
    await settled(() => expect(world.atWork).toBe(0));
    await nextIs(count === 2 ? "06:00" : "07:00");
  }
  expect(world.removed).toEqual(["vm1.hourly-20261127-040000"]);
});

it("makes up once for what fell due while no agent ran", async () => {
  world.set("vm1", hour);
  await nextIs("04:00");
  await world.end();
  vi.setSystemTime(new Date("2026-11-27T09:10:00Z"));
  world.start();
  await settled(() => expect(next()).toBeDefined());
  await pass(0);
  await done(1);
  await nextIs("10:00");
  expect(world.log).toEqual(["vm1.hourly-20261127-091000"]);
});

it("begins again with what an agent that ended was taking", async () => {
  world.gate = new Promise(() => undefined);
  world.set("vm1", hour);
  await nextIs("04:00");
  await pass(hourMs);
  await settled(() => expect(world.atWork).toBe(1));
  await world.end();
  world.gate = Promise.resolve();
  world.start();
  await settled(() => expect(next()).toBeDefined());
  await pass(0);
  await done(1);
});

it("waits while other work is under way, and tells nobody", async () => {
  world.refusal = failedPrecondition("INSTANCE_BUSY", "vm1", "vm1 is being backed up");
  world.set("vm1", hour);
  await nextIs("04:00");
  await pass(hourMs);
  await settled(() => expect(world.status("vm1")?.lastError).toBe("vm1 is being backed up"));
  world.refusal = undefined;
  await pass(30_000);
  await done(1);
  await settled(() => expect(world.status("vm1")?.lastError).toBe(""));
  expect(world.reports).toEqual([]);
});

it("tells of a failure once, and tries again, later each time", async () => {
  world.refusal = failedPrecondition("NO_BACKUP_DIRECTORY", "vm1", "this host takes no backups");
  world.set("vm1", hour);
  await nextIs("04:00");
  await pass(hourMs);
  await nextIs("04:01");
  await pass(60_000);
  await nextIs("04:03");
  expect(world.reports).toEqual([
    "hosts/h1/instances/vm1: schedule hourly: this host takes no backups; it is tried again in 1 minutes",
  ]);
  world.refusal = undefined;
  await pass(120_000);
  await done(1);
  await nextIs("05:00");
});

it("lets what somebody cancelled be for an hour", async () => {
  world.gate = new Promise(() => undefined);
  world.set("vm1", { name: "daily", at: "03:30" });
  await nextIs("03:30");
  await pass(hourMs / 2);
  await settled(() => expect(world.atWork).toBe(1));
  world.operations.cancel(world.operations.list()[0]?.name ?? "");
  await nextIs("04:30");
  expect(world.status("vm1")?.lastError).toBe("somebody cancelled it");
});

it("takes two at a time, and one of an instance", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  world.gate = promise;
  for (const id of ["vm1", "vm2", "vm3"]) world.set(id, hour, { ...hour, name: "other" });
  await nextIs("04:00");
  await pass(hourMs);
  await settled(() => expect(world.atWork).toBe(2));
  resolve();
  const all = async () => {
    await pass(1);
    return world.log.length;
  };
  await settled(async () => expect(await all()).toBe(6));
  expect(world.mostAtWork).toBe(2);
});

it("begins anew when it is said anew, and ends with it", async () => {
  world.set("vm1", hour);
  await nextIs("04:00");
  await pass(hourMs / 2);
  world.set("vm1", { ...hour, keep: 9 });
  await nextIs("04:00");
  world.set("vm1", { ...hour, everySeconds: 600n });
  await nextIs("03:40");
  world.set("vm1", { ...hour, suspended: true });
  await settled(() => expect(world.status("vm1")).toMatchObject({ name: "hourly", nextTime: undefined }));
  world.set("vm1");
  await settled(() => expect(world.statuses.get("uid-vm1")).toEqual([]));
  await pass(10 * hourMs);
  expect(world.log).toEqual([]);
});

it("forgets what it knew of instances that are gone, and outlives a damaged file", async () => {
  world.set("vm1", hour);
  await settled(async () => expect(await readdir(join(state, "schedules"))).toEqual(["vm1.json"]));
  world.delete("vm1");
  await settled(async () => expect(await readdir(join(state, "schedules"))).toEqual([]));
  await world.end();
  await writeFile(join(state, "schedules", "vm1.json"), "{");
  world.start();
  await settled(() => expect(world.errors).toHaveLength(1));
  world.errors.splice(0);
  world.set("vm1", hour);
  await nextIs("04:00");
});

it("looks at the clocks of a schedule once, however many others there are", async () => {
  const daily = { name: "daily", at: "04:30", timeZone: "Europe/Berlin", keep: 1 };
  const looks = vi.spyOn(Intl, "DateTimeFormat");
  try {
    await world.end();
    const count = 40;
    for (let index = 0; index < count; index += 1) world.set(`vm${index}`, daily);
    looks.mockClear();
    world.start();
    await settled(() => expect(world.statuses.size).toBe(count));
    expect(looks).toHaveBeenCalledTimes(count);
  } finally {
    looks.mockRestore();
  }
});
