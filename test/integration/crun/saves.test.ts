import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { run } from "../../../agent/host/exec.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "./fixture.js";

const before = captureMachine();
const copyOptions = { ...callOptions, bytesPerSecond: 0 };
const sleep = ["/bin/sleep", "1000"];
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

/** Writes what an archive could lose. */
const write = [
  "mkdir -p /work/old && echo one >/work/one && ln /work/one /work/two && chown 1000:1001 /work/one && chmod 4755 /work/one",
  "ln -s ../nowhere /work/link && mkfifo /work/pipe && chmod 1777 /work",
  "truncate -s 20M /work/sparse && echo end >>/work/sparse",
  "rm -r /mnt /usr/lib; mkdir -p /usr/lib && echo new >/usr/lib/new",
  `perl -e 'my $file = "/work/one"; my $caps = pack("V5", 0x02000001, 1 << 10, 0, 0, 0);
     my @all = (["user.note", "kept"], ["security.capability", $caps]);
     for (@all) { my ($name, $value) = @$_; syscall(188, $file, $name, $value, length $value, 0) == 0 or die $! }'`,
].join("\n");

/** Tells all of it. */
const read = [
  "stat -c '%n %u:%g %a %h %F' /work /work/one /work/two /work/link /work/pipe",
  "test $(stat -c %i /work/one) = $(stat -c %i /work/two) && echo same; readlink /work/link; cat /work/two",
  "stat -c %s /work/sparse; test $(stat -c %b /work/sparse) -lt 100 && echo sparse; tail -c 4 /work/sparse",
  "ls /mnt 2>&1 | grep -c 'No such'; ls /usr/lib",
  `perl -e 'my $file = "/work/one"; for my $name ("user.note", "security.capability") { my $value = "\\0" x 64;
     my $copy = $name; my $n = syscall(191, $file, $copy, $value, 64); print unpack("H*", substr($value, 0, $n)), "\\n" }'`,
].join("\n");

type Options = Parameters<typeof CrunOptions.fromPartial>[0];

async function started(options: Options): Promise<{ instance: DriverInstance; handle: RecoveryHandle }> {
  const instance = await world.create(CrunOptions.fromPartial({ rootfs: "perl", command: sleep, ...options }));
  return { instance, handle: await world.start(instance) };
}

async function save(instance: DriverInstance, handle: RecoveryHandle | undefined, image: string): Promise<string> {
  const path = join(world.images, image);
  await world.driver.can.save.saveImage(instance, handle, { disk: 0, overlay: false, path }, copyOptions);
  return path;
}

describe("a container that is saved while it runs", () => {
  it.each([
    ["plain", false],
    ["in a user namespace", true],
  ])("is all there in what is made of the image: %s", async (word, userNamespace) => {
    const { instance, handle } = await started({ userNamespace });
    const said = await world.shell(instance, handle, `${write}\n${read}`);
    expect(said).toContain("/work/one 1000:1001 4755 2 regular file");
    expect(said).toContain("\nsame\n../nowhere\none\n");
    expect(said).toContain("\nsparse\nend\n1\nnew\n6b657074\n");
    const image = `${word.slice(0, 5)}.tar`;
    const path = await save(instance, handle, image);
    expect((await world.driver.inspect(instance, handle, callOptions)).state).toBe("running");
    expect(await readdir(instance.directory)).not.toContain("saving");
    // What is sparse takes no room in the archive either.
    expect((await stat(path)).size).toBeLessThan(19 * 2 ** 20);
    const copy = await started({ rootfs: image });
    expect(await world.shell(copy.instance, copy.handle, read)).toBe(said.replace(/^.*?(?=\/work )/s, ""));
  });

  it("leaves nothing when it is cancelled, and goes on", async () => {
    const { instance, handle } = await started({});
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

  it("is refused in parts, by name", async () => {
    const { instance, handle } = await started({});
    const { checkSave } = world.driver.can.save;
    await expect(checkSave(instance, handle, { disk: 1, overlay: false })).rejects.toThrow("has no disk 1");
    await expect(checkSave(instance, handle, { disk: 0, overlay: true })).rejects.toThrow("saved as a whole");
  });
});

describe("a backup of a container", () => {
  it("holds all of it, whatever its image is by then", async () => {
    const tree = await world.unpackMicro("base");
    await run("tar", ["--create", "--file", join(world.images, "base.tar"), "--directory", tree, "."]);
    const source = await started({ rootfs: "base.tar", persistent: true });
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
    await world.driver.can.backup.restoreBackup(target, [directory], copyOptions);
    const handle = await world.start(target);
    expect(await world.shell(target, handle, "cat /mark; ls -d /etc")).toBe("mine\n/etc\n");
    // A clone stands over what was restored, and not over its image.
    const clone = await world.create(CrunOptions.fromPartial({ rootfs: "base.tar", command: sleep, persistent: true }));
    await world.driver.can.copy.copyInto(target, handle, clone, copyOptions);
    expect(await world.shell(clone, await world.start(clone), "cat /mark; ls -d /etc")).toBe("mine\n/etc\n");
  });

  it("is refused of one that forgets what it writes", async () => {
    const { instance } = await started({});
    await expect(world.driver.can.backup.checkBackup(instance)).rejects.toMatchObject({ reason: "NOT_PERSISTENT" });
  });
});
