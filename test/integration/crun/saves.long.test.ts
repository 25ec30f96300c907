import { readdir, stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "./fixture.js";
import { read, save, started, write } from "./saves-rig.js";

const before = captureMachine();
let world: CrunFixture;

beforeAll(async () => {
  world = await CrunFixture.make({ containerMib: 64 });
  await world.unpackWithPerl("perl");
});

afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
});

describe("a container that is saved while it runs", () => {
  it("is all there in what is made of the image", async () => {
    const { instance, handle } = await started(world, {});
    const said = await world.shell(instance, handle, `${write}\n${read}`);
    expect(said).toContain("/kept/one 1000:1001 4764 2 regular file");
    expect(said).toContain("\nsame\n../nowhere\none\n");
    expect(said).toContain("\nsparse\nend\n1\nnew\n6b657074\n0200000001");
    const path = await save(world, { instance, handle }, "saved.tar");
    expect((await world.driver.inspect(instance, handle, callOptions)).state).toBe("running");
    expect(await readdir(instance.directory)).not.toContain("saving");
    // What is sparse takes no room in the archive either.
    expect((await stat(path)).size).toBeLessThan(19 * 2 ** 20);
    const copy = await started(world, { rootfs: "saved.tar" });
    expect(await world.shell(copy.instance, copy.handle, read)).toBe(said.replace(/^.*?(?=\/kept )/s, ""));
  });

  it("is refused in parts, by name", async () => {
    const { instance, handle } = await started(world, {});
    const { checkSave } = world.driver.can.save;
    await expect(checkSave(instance, handle, { disk: 1, overlay: false })).rejects.toThrow("has no disk 1");
    await expect(checkSave(instance, handle, { disk: 0, overlay: true })).rejects.toThrow("saved as a whole");
  });
});

describe("a backup of a container", () => {
  it("is refused of one that forgets what it writes", async () => {
    const { instance } = await started(world, {});
    await expect(world.driver.can.backup.checkBackup(instance)).rejects.toMatchObject({ reason: "NOT_PERSISTENT" });
  });
});
