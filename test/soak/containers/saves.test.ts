import { mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture } from "../../integration/crun/fixture.js";
import { copyOptions, read, save, sleep, started, write } from "../../integration/crun/saves-rig.js";

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

const told = (said: string) => said.replace(/^.*?(?=\/kept )/s, "");

describe("a container with users of its own", () => {
  it("is all there in what is made of its image", async () => {
    const source = await started(world, { userNamespace: true });
    const said = await world.shell(source.instance, source.handle, `${write}\n${read}`);
    expect(said).toContain("/kept/one 1000:1001 4764 2 regular file");
    await save(world, source, "shifted.tar");
    const copy = await started(world, { rootfs: "shifted.tar" });
    expect(await world.shell(copy.instance, copy.handle, read)).toBe(told(said));
  });

  it("is all there in a clone, under users that are the clone's alone", async () => {
    const source = await started(world, { userNamespace: true, persistent: true });
    const said = await world.shell(source.instance, source.handle, `${write}\n${read}`);
    const clone = await world.create(
      CrunOptions.fromPartial({ rootfs: "perl", command: sleep, userNamespace: true, persistent: true }),
    );
    await world.driver.can.copy.copyInto(source.instance, source.handle, clone, copyOptions);
    expect(await readdir(clone.directory)).not.toContain("copied");
    const handle = await world.start(clone);
    expect(await world.shell(clone, handle, read)).toBe(told(said));
    const map = "cat /proc/self/uid_map";
    expect(await world.shell(clone, handle, map)).not.toBe(await world.shell(source.instance, source.handle, map));
    // The capability of a file works for its own root only: this one is the clone's.
    expect(await world.shell(clone, handle, "touch /kept/mine && stat -c %u:%g /kept/mine")).toBe("0:0\n");
    expect(await world.shell(source.instance, source.handle, "ls /kept/mine 2>&1")).toContain("No such file");
  });

  it("is cloned when it has written nothing", async () => {
    const options = { rootfs: "perl", command: sleep, userNamespace: true, persistent: true };
    const [source, clone] = [
      await world.create(CrunOptions.fromPartial(options)),
      await world.create(CrunOptions.fromPartial(options)),
    ];
    await world.driver.can.copy.copyInto(source, undefined, clone, copyOptions);
    expect(await world.shell(clone, await world.start(clone), "echo runs")).toBe("runs\n");
  });
});

describe("a container that is saved", () => {
  it("leaves nothing when it is cancelled, and goes on", async () => {
    const { instance, handle } = await started(world, {});
    await world.shell(instance, handle, "head -c 20000000 /dev/urandom >/big");
    const ending = new AbortController();
    const path = join(world.images, "cancelled.tar");
    const saving = world.driver.can.save.saveImage(
      instance,
      handle,
      { disk: 0, overlay: false, path },
      {
        signal: ending.signal,
        bytesPerSecond: 1_000_000,
        progress: (_step, percent) => percent > 20 && ending.abort(),
      },
    );
    await expect(saving).rejects.toThrow(/abort/i);
    expect(await readdir(instance.directory)).not.toContain("saving");
    expect(await world.shell(instance, handle, "echo on")).toBe("on\n");
  });
});

describe("a backup of a container", () => {
  it("holds all of it, whatever its image is by then", async () => {
    const tree = await world.unpackMicro("base");
    await run("tar", ["--create", "--file", join(world.images, "base.tar"), "--directory", tree, "."]);
    const source = await started(world, { rootfs: "base.tar", persistent: true });
    await world.shell(source.instance, source.handle, "echo mine >/mark");
    const directory = join(world.root, "backup");
    await mkdir(directory);
    const wanted = { tag: "one", directory, base: { tag: "none", directoryName: "none" } };
    const facts = await world.driver.can.backup.takeBackup(source.instance, source.handle, wanted, copyOptions);
    expect(facts).toEqual({ consistent: true, whyFull: "what a container has written since is not tracked" });
    await run("tar", [
      "--create",
      "--file",
      join(world.images, "base.tar"),
      "--directory",
      tree,
      "bin",
      "lib",
      "lib64",
    ]);
    const target = await world.create(
      CrunOptions.fromPartial({ rootfs: "base.tar", command: sleep, persistent: true }),
    );
    await using archive = await open(join(directory, "root.tar"));
    await world.driver.can.backup.restoreBackup(
      target,
      { layers: [new Map([["root.tar", archive]])], volumes: [] },
      copyOptions,
    );
    const handle = await world.start(target);
    expect(await world.shell(target, handle, "cat /mark; ls -d /etc")).toBe("mine\n/etc\n");
    // A clone stands over what was restored, and not over its image.
    const clone = await world.create(CrunOptions.fromPartial({ rootfs: "base.tar", command: sleep, persistent: true }));
    await world.driver.can.copy.copyInto(target, handle, clone, copyOptions);
    expect(await world.shell(clone, await world.start(clone), "cat /mark; ls -d /etc")).toBe("mine\n/etc\n");
  });
});
