import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { NameSwapper } from "../../helpers/name-swapper.js";
import { CrunFixture, callOptions } from "./fixture.js";
import { buildOciLayout, buildSaved, packTree } from "./image-builder.js";

const before = captureMachine();
const containerMib = 32;
const sleep = ["/bin/sleep", "1000"];
let world: CrunFixture;
let trees: string;

beforeAll(async () => {
  world = await CrunFixture.make({ containerMib });
  trees = join(world.root, "trees");
  await mkdir(trees);
});

afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
});

/** A directory with these files; a name that ends in "/" is a directory. */
async function makeTree(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const tree = join(trees, name);
  await mkdir(tree);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(tree, path, path.endsWith("/") ? "" : ".."), { recursive: true });
    if (!path.endsWith("/")) await writeFile(join(tree, path), content);
  }
  return tree;
}

async function runInside(options: Partial<CrunOptions>, line: string): Promise<string> {
  const instance = await world.create({ command: sleep, ...options });
  const handle = await world.start(instance);
  const output = await world.shell(instance, handle, line);
  await world.driver.stop(instance, handle);
  await world.driver.destroy(instance);
  return output;
}

async function refusalOf(options: Partial<CrunOptions>): Promise<{ code: number; message: string }> {
  const instance = await world.define(options);
  const error: unknown = await world.driver.create(instance, callOptions).then(
    () => "created",
    (why: unknown) => why,
  );
  expect(await readdir(instance.directory)).toEqual([]);
  expect(error).toMatchObject({ code: expect.any(Number), message: expect.any(String) });
  return error as { code: number; message: string };
}

describe("a container image", () => {
  let layers: string[];

  beforeAll(async () => {
    const base = join(trees, "base");
    await rename(await world.unpackMicro("base"), base);
    await mkdir(join(base, "cleared"));
    await writeFile(join(base, "cleared", "old"), "old");
    await writeFile(join(base, "removed"), "old");
    await symlink("/etc", join(base, "link"));
    const second = await makeTree("second", {
      ".wh.removed": "",
      "cleared/.wh..wh..opq": "",
      "cleared/new": "new",
      "etc/added": "added",
      // A directory where the layer below has a link: it takes the link's place and is not written through it.
      "link/file": "mine",
    });
    layers = [base, second];
  });

  const line =
    "cat /etc/added /cleared/* /link/file; ls /removed /etc/file /cleared/old 2>&1 | grep -c 'No such'; ls -a / | grep -c wh";
  const expected = "addednewmine3\n0\n";

  it.each([
    ["an archive of docker save", "saved.tar", []],
    ["an archive of docker save that is compressed again", "saved.tar.zst", ["--zstd"]],
  ])("is taken from %s, its layers one over the other", async (_, name, options) => {
    const directory = join(trees, name);
    await buildSaved(directory, { layers });
    await packTree(join(world.images, name), directory, options);
    expect(await runInside({ rootfs: name }, line)).toBe(expected);
  });

  it("is taken from an OCI layout, as directory and as archive", async () => {
    const directory = join(world.images, "layout");
    await buildOciLayout(directory, { layers, compression: "--zstd" });
    await packTree(join(world.images, "layout.tar"), directory);
    expect(await runInside({ rootfs: "layout" }, line)).toBe(expected);
    expect(await runInside({ rootfs: "layout.tar" }, line)).toBe(expected);
  });

  it("is refused when it is for another architecture, has no such layer, or a layer that was changed", async () => {
    await buildOciLayout(join(world.images, "foreign"), { layers: [], architecture: "s390x" });
    expect(await refusalOf({ rootfs: "foreign" })).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining('the image is for "s390x"'),
    });
    const blobs = join(world.images, "damaged", "blobs", "sha256");
    await buildOciLayout(join(world.images, "damaged"), { layers });
    const index = JSON.parse(await readFile(join(world.images, "damaged", "index.json"), "utf8"));
    const manifest = JSON.parse(await readFile(join(blobs, index.manifests[0].digest.slice(7)), "utf8"));
    const layer = join(blobs, manifest.layers[1].digest.slice(7));
    await writeFile(layer, "other");
    expect((await refusalOf({ rootfs: "damaged" })).message).toContain("the image is damaged");
    await rm(layer);
    expect((await refusalOf({ rootfs: "damaged" })).message).toContain("the image lacks");
    // Layers that are links out of the image are no layers.
    await symlink("/etc/shadow", layer);
    expect(await refusalOf({ rootfs: "damaged" })).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe("an archive", () => {
  it.each([
    ["--xz", "named-wrong.tar"],
    ["--bzip2", "no-suffix"],
    ["--zstd", "named-wrong.tar.gz"],
  ])("is unpacked by what it is (%s), whatever its name", async (option, name) => {
    const tree = await makeTree(`tree${option}`, { "bin/tool": "anything" });
    await chmod(join(tree, "bin", "tool"), 0o755);
    await packTree(join(world.images, name), tree, [option]);
    await world.create({ rootfs: name, command: ["tool"] });
    const store = join(world.root, "s", "crun-layers", "layers");
    const tools = await Promise.all(
      (await readdir(store)).map((key) => readFile(join(store, key, "tree", "bin", "tool"), "utf8").catch(() => "")),
    );
    expect(tools).toContain("anything");
  });

  it("may be a zip archive, as cloonix has them", async () => {
    const tree = await world.unpackMicro("zipped");
    await run("zip", ["-q", "-r", "--symlinks", join(world.images, "zipped.zip"), "."], { cwd: tree });
    expect(await runInside({ rootfs: "zipped.zip" }, "stat -c %a /bin/busybox; readlink /bin/sh | wc -l")).toBe(
      "755\n1\n",
    );
  });

  it("may have its root one directory deeper", async () => {
    const tree = await world.unpackMicro("deeper");
    const outer = join(trees, "outer");
    await mkdir(outer);
    await rename(tree, join(outer, "rootfs-1.2"));
    await packTree(join(world.images, "deeper.tar"), outer);
    expect(await runInside({ rootfs: "deeper.tar" }, "ls -d /bin /rootfs-1.2 2>/dev/null")).toBe("/bin\n");
  });

  const hostile: readonly (readonly [string, RegExp, (file: string, tree: string) => Promise<unknown>])[] = [
    [
      "a file below a file",
      /cannot be extracted: ".*a\/b": Not a directory/,
      (file, tree) => tarOf(file, tree, ["--transform=s,^c$,a/b,", "a", "c"]),
    ],
    [
      "a file through a link that leads out",
      /cannot be extracted/,
      (file, tree) => tarOf(file, tree, ["--transform=s,^c$,out/c,", "out", "c"]),
    ],
    [
      "a name that is too long",
      /cannot be extracted: "x+\.\.\." *: File name too long/,
      (file, tree) => tarOf(file, tree, [`--transform=s,^c$,${"x".repeat(300)},`, "c"]),
    ],
    [
      "a hard link to nothing",
      /cannot be extracted/,
      async (file, tree) => {
        await tarOf(file, tree, ["a", "a2"]);
        await run("tar", ["--delete", `--file=${file}`, "a"]);
      },
    ],
    [
      "an end that is missing",
      /cannot be read; it may be damaged or cut short/,
      async (file, tree) => {
        await tarOf(file, tree, ["a", "big"]);
        await run("truncate", ["-s", "20000", file]);
      },
    ],
    [
      "compressed data that are damaged",
      /cannot be read; it may be damaged or cut short/,
      async (file, tree) => {
        await tarOf(file, tree, ["--gzip", "a", "big"]);
        await run("truncate", ["-s", "-40", file]);
      },
    ],
  ];
  const tarOf = (file: string, tree: string, argv: readonly string[]) =>
    run("tar", ["--create", "--absolute-names", `--file=${file}`, `--directory=${tree}`, ...argv]);

  it.each(hostile)("with %s is refused in words, without tar's own, and leaves nothing", async (what, words, make) => {
    const tree = await makeTree(what.replaceAll(" ", "-"), { a: "a", c: "c", big: "b".repeat(100_000) });
    await run("ln", [join(tree, "a"), join(tree, "a2")]);
    await symlink("/tmp", join(tree, "out"));
    await make(join(world.images, "hostile.tar"), tree);
    const { code, message } = await refusalOf({ rootfs: "hostile.tar", command: ["/a"] });
    expect({ code, message }).toEqual({ code: status.INVALID_ARGUMENT, message: expect.stringMatching(words) });
    expect(message).not.toMatch(/tar:|\/proc\/|Exiting|Error is not recoverable/);
  });
});

describe("a command", () => {
  it("that the image lacks, or that nothing can run, is said before anything is started", async () => {
    const { message } = await refusalOf({ rootfs: "micro", command: ["bash", "-l"] });
    expect(message).toContain('there is no "bash" in the image');
    const bare = await makeTree("bare", { "etc/x": "x" });
    await packTree(join(world.images, "bare.tar"), bare);
    expect((await refusalOf({ rootfs: "bare.tar" })).message).toMatch(
      /is not set, and there is no "\/bin\/sh" in the image/,
    );
    const script = await makeTree("script", { "etc/x": "x", "run.sh": "#!/usr/bin/python3 -u\n" });
    await chmod(join(script, "run.sh"), 0o755);
    await packTree(join(world.images, "script.tar"), script);
    expect((await refusalOf({ rootfs: "script.tar", command: ["/run.sh"] })).message).toContain(
      '"/run.sh" needs "/usr/bin/python3", which is not in the image',
    );
  });

  it("for another processor is named, in an archive and in a directory", async () => {
    const elf = Buffer.alloc(64);
    elf.write("\x7fELF\x02\x01\x01", "latin1");
    elf.writeUInt16LE(258, 18);
    const tree = join(world.images, "loong");
    await mkdir(join(tree, "bin"), { recursive: true });
    await writeFile(join(tree, "bin", "sh"), elf, { mode: 0o755 });
    await packTree(join(world.images, "loong.tar"), tree);
    for (const rootfs of ["loong", "loong.tar"]) {
      expect((await refusalOf({ rootfs })).message).toMatch(
        /is made for loongarch64: its "\/bin\/sh" cannot run on this host/,
      );
    }
  });
});

describe("what a container writes", () => {
  it.each([false, true])("ends at its limit, for itself alone, and is kept: %s", async (persistent) => {
    const instance = await world.create({ persistent, command: sleep });
    const handle = await world.start(instance);
    const said = await world.shell(instance, handle, "dd if=/dev/zero of=/big bs=1M count=200; echo small > /small");
    expect(said).toContain("No space left on device");
    const { blocks } = await stat(join(instance.directory, "layer.img"));
    expect(blocks * 512).toBeLessThanOrEqual(containerMib * 1024 * 1024);
    await world.shell(instance, handle, "rm /big; echo kept > /kept; sync");
    await world.driver.stop(instance, handle);
    const again = await world.start(instance);
    expect(await world.shell(instance, again, "cat /kept")).toBe(
      persistent ? "kept\n" : "cat: can't open '/kept': No such file or directory\n",
    );
    await world.driver.stop(instance, again);
  });

  it("is promised only while the host has room for all of it", async () => {
    await using narrow = await CrunFixture.make({ containerMib, reserveMib: 2 ** 40 });
    const instance = await narrow.define({});
    await expect(narrow.driver.create(instance, callOptions)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "DISK_QUOTA",
      message: expect.stringContaining("disk.reserveMib"),
    });
    await using few = await CrunFixture.make({ containerMib, totalMib: 2 * containerMib });
    await few.create({});
    const second = await few.create({});
    await expect(few.driver.create(await few.define({}), callOptions)).rejects.toMatchObject({ reason: "DISK_QUOTA" });
    await few.driver.destroy(second);
    await few.create({});
  });
});

describe("a directory whose name is exchanged for a link while a container starts", () => {
  it("is what the container has, or the start is refused", async () => {
    await world.unpackMicro("mine");
    const elsewhere = await world.unpackMicro("elsewhere");
    await rename(elsewhere, join(trees, "elsewhere"));
    await writeFile(join(world.images, "mine", "whose"), "mine");
    await writeFile(join(trees, "elsewhere", "whose"), "elsewhere");
    await symlink(join(trees, "elsewhere"), join(world.images, "swapped"));
    const instance = await world.create({ rootfs: "mine", command: sleep });
    await using swapper = await NameSwapper.start(join(world.images, "mine"), join(world.images, "swapped"));
    const seen = new Set<string>();
    for (let round = 0; round < 12; round += 1) {
      const handle = await world.start(instance).catch(() => undefined);
      if (handle === undefined) continue;
      seen.add(await world.shell(instance, handle, "cat /whose"));
      await world.driver.stop(instance, handle);
    }
    expect(swapper.swaps).toBeGreaterThan(1000);
    expect([...seen].filter((whose) => whose !== "mine")).toEqual([]);
  });
});
