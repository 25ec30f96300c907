import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { ScheduleAction } from "../../../proto/gen/zor/v1/schedule.js";
import { SnapshotRig } from "./rig.js";

let rig: SnapshotRig;

beforeAll(async () => {
  rig = await SnapshotRig.start();
  await rig.container("c1");
});

afterAll(async () => {
  if (rig !== undefined) expect(await rig.close()).toEqual([]);
});

const write = (text: string) => rig.shell("c1", `echo ${text} >/mark`);
const read = (id = "c1") => rig.shell(id, "cat /mark");

describe("snapshots of a container", () => {
  it("bring back what it had written, in any order", async () => {
    await write("one");
    await rig.take("c1", "c1.one", { description: "with one" });
    await write("two");
    await rig.take("c1", "c1.two");
    expect(await rig.tree()).toEqual(["*c1.one/c1.two", "c1.one"]);
    await rig.revert("c1.one");
    expect(await read()).toBe("one");
    await rig.remove("c1.one");
    expect(await rig.tree()).toEqual(["c1.two"]);
    await rig.revert("c1.two");
    expect(await read()).toBe("two");
    expect(await rig.tree()).toEqual(["*c1.two"]);
  });

  it("keep no memory, and say so", async () => {
    await expect(rig.begin("c1", "c1.ram", { memory: true })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining("without memory"),
    });
  });

  it("is cloned while it runs, and the clone goes its own way", async () => {
    await rig.clone("c1", "c2");
    expect(await read("c2")).toBe("two");
    await write("three");
    expect(await read("c2")).toBe("two");
  });

  it("is saved as an image and backed up while it runs, and both are made into others", async () => {
    await rig.done(await rig.beginSave("c1", "c1-image"));
    const spec = { crun: { rootfs: "c1-image" } };
    await rig.create("c3", Instance.fromJSON({ spec }));
    expect(await read("c3")).toBe("three");
    await rig.backUp("c1", "c1.first", false);
    await rig.backUp("c1", "c1.second", true);
    expect((await rig.backup("c1.second")).status).toMatchObject({
      chain: ["c1.second"],
      reason: expect.stringContaining("not tracked"),
    });
    await write("four");
    await rig.restoreBackup("c1.second", "c4");
    expect(await read("c4")).toBe("three");
  });

  it("are taken by schedule, what fell due meanwhile once, and no more are kept than it says", async () => {
    await rig.schedule("c1", {
      name: "often",
      action: ScheduleAction.SCHEDULE_ACTION_SNAPSHOT,
      everySeconds: 3600n,
      keep: 1,
    });
    const file = join(rig.agent.state, "schedules", "c1.json");
    const often = async () => (await rig.snapshots()).filter(({ spec }) => spec?.schedule === "often");
    const ids: string[] = [];
    for (const [index] of ["first", "second"].entries()) {
      await expect.poll(() => readFile(file, "utf8")).toContain("often");
      await rig.kill(async () => {
        const kept = JSON.parse(await readFile(file, "utf8"));
        for (const each of kept.schedules) Object.assign(each, { sinceMs: each.sinceMs - 7_300_000, doneMs: 0 });
        await writeFile(file, JSON.stringify(kept));
      });
      await expect
        .poll(async () => (await often()).map(({ uid }) => uid).filter((uid) => !ids.includes(uid)))
        .toHaveLength(1);
      await expect.poll(async () => (await often()).length).toBe(1);
      ids.push((await often())[0]?.uid ?? "");
      const standing = async () => (await rig.read("c1")).status?.schedules;
      await expect
        .poll(standing)
        .toMatchObject([{ name: "often", lastError: "", lastTaken: (await often())[0]?.name }]);
      expect(ids).toHaveLength(index + 1);
    }
    expect((await rig.snapshots()).filter(({ spec }) => spec?.schedule === "")).not.toEqual([]);
    await rig.schedule("c1");
  });

  it("wakes when the agent was killed while it was asleep for a snapshot", async () => {
    await rig.begin("c1", "c1.cut");
    await rig.kill();
    await expect.poll(() => rig.shell("c1", "echo awake").catch(String), { timeout: 60_000 }).toBe("awake");
    expect((await rig.tree()).filter((path) => path.includes("cut"))).toEqual([]);
  });
});
