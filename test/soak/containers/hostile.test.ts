import { link, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "../../integration/crun/fixture.js";

const before = captureMachine();
const sleep = ["/bin/sleep", "1000"];
let world: CrunFixture;

beforeAll(async () => {
  world = await CrunFixture.make({ containerMib: 8 });
});

afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
}, 300_000);

/** An archive of the built-in root filesystem with more in it. */
async function archive(
  name: string,
  add: (tree: string) => Promise<void>,
  more: readonly string[] = [],
): Promise<void> {
  const tree = await world.unpackMicro(`tree-${name}`);
  await add(tree);
  const file = join(world.images, `${name}.tar`);
  await run("tar", ["--create", "--file", file, "--directory", tree, ...more, "."], { timeoutMs: 300_000 });
  await rm(tree, { recursive: true });
}

const create = (rootfs: string, more: object = {}) =>
  world.create({ rootfs: `${rootfs}.tar`, command: sleep, ...more });

describe("a hostile root filesystem", () => {
  it("gives nobody a device of the host, and no right by setuid that its walls do not have", async () => {
    await archive("devices", async (tree) => {
      await run("mknod", [join(tree, "disk"), "b", "254", "0"]);
      await run("mknod", [join(tree, "memory"), "c", "1", "1"]);
      await mkdir(join(tree, "suid"));
      await run("cp", [join(tree, "bin/busybox"), join(tree, "suid/id")]);
      await run("chmod", ["4755", join(tree, "suid/id")]);
    });
    const instance = await create("devices", { user: "1000:1000" });
    const handle = await world.start(instance);
    const text = await world.shell(
      instance,
      handle,
      "head -c 1 /disk 2>&1; head -c 1 /memory 2>&1; /suid/id -u; grep CapEff /proc/self/status",
    );
    expect(text).toMatch(
      /disk: (Permission denied|Operation not permitted)[\s\S]*memory: (Permission denied|Operation not permitted)/,
    );
    expect(text).toMatch(/\n1000\nCapEff:\s+0{16}\n$/);
    await world.driver.stop(instance, handle);
    await world.driver.destroy(instance);
  });

  it("is refused with hard links out of it, and nothing of it is kept", async () => {
    const outside = await mkdtemp(join(world.root, "outside-"));
    await writeFile(join(outside, "secret"), "of the host");
    await archive("links", async (tree) => await mkdir(join(tree, "x")), [
      "--absolute-names",
      "--transform=s,^\\./x$,../../outside,",
    ]);
    await expect(create("links")).rejects.toThrow(/path with "\.\."/);
    expect((await readdir(join(world.root, "s", "crun-layers", "layers")).catch(() => [])).length).toBeLessThan(2);
  });

  it("of a hundred thousand files is taken, and shared, in bounded time and memory", async () => {
    await archive("many", async (tree) => {
      const script =
        'mkdir $1/many && cd $1/many && perl -e \'for my $d (0..99) { mkdir $d; for (0..999) { open my $f, ">", "$d/$_" or die $! } }\'';
      await run("sh", ["-c", script, "sh", tree], { timeoutMs: 300_000 });
    });
    const instance = await create("many");
    expect(process.memoryUsage().rss).toBeLessThan(2 ** 29);
    const another = await create("many");
    const handle = await world.start(another);
    expect(await world.shell(another, handle, "ls /many | wc -l")).toBe("100\n");
    await world.driver.stop(another, handle);
    for (const each of [instance, another]) await world.driver.destroy(each);
  }, 900_000);

  it("keeps one that is linked often once, and is bounded by what it may write", async () => {
    await archive("linked", async (tree) => {
      await writeFile(join(tree, "big"), Buffer.alloc(4 * 2 ** 20, 1));
      for (let index = 0; index < 100; index += 1) await link(join(tree, "big"), join(tree, `big${index}`));
    });
    const instance = await create("linked", { persistent: true });
    const layers = join(world.root, "s", "crun-layers");
    const { stdout } = await run("du", ["-sm", layers]);
    expect(Number.parseInt(stdout, 10)).toBeLessThan(100);
    const handle = await world.start(instance);
    // Touching one name copies the content up once, and the names do not multiply it beyond the bound.
    const text = await world.shell(
      instance,
      handle,
      "for n in $(seq 0 99); do echo x >>/big$n || break; done 2>&1 | head -n 1",
    );
    expect(text).toContain("No space left on device");
    expect(Number.parseInt((await run("du", ["-sm", instance.directory])).stdout, 10)).toBeLessThan(12);
    await world.driver.stop(instance, handle);
    await world.driver.destroy(instance);
  });
});

describe("two hundred containers", () => {
  it("are started and stopped, and nothing of them is left", async () => {
    const made = [];
    for (let round = 0; round < 20; round += 1) {
      const ten = await Promise.all(
        Array.from({ length: 10 }, () => world.create({ rootfs: "micro", command: sleep })),
      );
      const handles = await Promise.all(ten.map((each) => world.start(each)));
      made.push(...ten.map((instance, index) => ({ instance, handle: handles[index] })));
    }
    expect(made).toHaveLength(200);
    for (let at = 0; at < made.length; at += 10) {
      await Promise.all(
        made.slice(at, at + 10).map(async ({ instance, handle }) => {
          if (handle !== undefined) await world.driver.stop(instance, handle);
          await world.driver.destroy(instance);
        }),
      );
    }
    const ids = new Set(made.map(({ instance }) => `zor-${instance.uid}`));
    const groups = await run("find", ["/sys/fs/cgroup", "-maxdepth", "2", "-name", "zor-*", "-printf", "%f\\n"]);
    expect(groups.stdout.split("\n").filter((name) => ids.has(name))).toEqual([]);
    const loops = await run("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]);
    expect(loops.stdout).not.toContain(world.root);
    expect(await readdir(join(world.root, "s", "disk-promises"))).toEqual([]);
  }, 900_000);
});

describe("an option of a container", () => {
  it("is never taken for one of its files", async () => {
    const instance = await world.create(
      CrunOptions.fromPartial({ rootfs: "micro", command: ["/bin/echo", "--help", "; reboot"] }),
    );
    const handle = await world.start(instance);
    await expect.poll(async () => (await world.driver.inspect(instance, handle, callOptions)).state).toBe("stopped");
  });
});
