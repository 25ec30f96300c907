import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { run } from "../../../../agent/host/exec.js";
import { Dir, lookUp } from "../../../../lib/tree/dir.js";
import { packTree } from "../../../../lib/tree/pack.js";
import { readTar } from "../../../../lib/tree/tar-reader.js";
import { writeTar } from "../../../../lib/tree/tar-writer.js";
import { type TreeEntry, type TreeItem, treeLimits } from "../../../../lib/tree/tree.js";
import { type UnpackBounds, unpackTree } from "../../../../lib/tree/unpack.js";

vi.mock("node:fs/promises", async (actual) => {
  const whole = await actual<typeof import("node:fs/promises")>();
  return { ...whole, link: vi.fn(whole.link) };
});

let root: string;
let dir: Dir;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-tree-"));
  for (const name of ["in", "out", "outside"]) await mkdir(join(root, name));
  await writeFile(join(root, "outside", "secret"), "secret");
  dir = await Dir.open(join(root, "out"), { shown: join(root, "out"), plainOnly: false });
});
afterEach(async () => {
  vi.mocked(link).mockReset();
  await dir[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const entry = (path: string, more: Partial<TreeEntry> = {}): TreeItem => ({
  type: "entry",
  entry: {
    ...{
      path: path === "" ? [] : path.split("/"),
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 1000,
      size: 0,
      target: "",
    },
    ...more,
  },
});
const data = (text: string): TreeItem => ({ type: "data", data: Buffer.from(text) });
const unpackWithin = (bounds: UnpackBounds, ...items: TreeItem[]) =>
  unpackTree(
    dir,
    (async function* () {
      yield* items;
    })(),
    { name: "top", owners: false, onSkipped: () => undefined, bounds },
  );
const unpack = (...items: TreeItem[]) => unpackWithin(treeLimits, ...items);
const top = (...names: string[]) => join(root, "out", "top", ...names);
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("a tree", () => {
  it("comes through tar as it was, whatever size the pieces have", async () => {
    const from = join(root, "in", "top");
    await mkdir(join(from, "a", "n".repeat(150), "deep"), { recursive: true });
    await writeFile(join(from, "a", "n".repeat(150), "deep", "\u00e4"), "umlaut");
    await writeFile(join(from, "empty"), "");
    await writeFile(join(from, "run"), "#!/bin/sh\n", { mode: 0o755 });
    await chmod(join(from, "run"), 0o4755);
    await writeFile(join(from, "sparse"), Buffer.concat([Buffer.alloc(1_000_000), Buffer.from("end")]));
    await symlink("/no/where", join(from, "link"));
    await utimes(join(from, "run"), 1234, 1234);
    await using source = await Dir.open(join(root, "in"), { shown: "in", plainOnly: false });
    const archive = Buffer.concat(await Array.fromAsync(writeTar(packTree(source, "top"), "other")));
    for (const size of [1000, 512, 100_000]) {
      await unpackTree(dir, readTar(inPieces(archive, size)), {
        name: "top",
        owners: false,
        onSkipped: () => undefined,
      });
      expect(await readFile(top("a", "n".repeat(150), "deep", "\u00e4"), "utf8")).toBe("umlaut");
      expect((await readFile(top("sparse"))).equals(await readFile(join(from, "sparse")))).toBe(true);
      expect((await lstat(top("sparse"))).blocks * 512).toBeLessThan(200_000);
      expect(await readlink(top("link"))).toBe("/no/where");
      // Not the set-id bit: whoever copies did not ask for it.
      expect(await lstat(top("run"))).toMatchObject({ mode: 0o100755, mtimeMs: 1_234_000 });
    }
    expect((await readdir(join(root, "out"))).sort()).toEqual(["top"]);
    // The system's own tar takes it too.
    await writeFile(join(root, "archive"), archive);
    const { stdout } = await run("tar", ["-tf", join(root, "archive")]);
    expect(stdout).toContain("other/sparse\n");
  });

  it("is taken from the system's tar, hard links as such", async () => {
    const script = "cd in; mkdir t; echo one >t/a; ln t/a t/b; mkfifo t/p; tar -c -f ../archive ./t";
    await run("sh", ["-c", script], { cwd: root });
    const stdout = await readFile(join(root, "archive"));
    const skipped: string[] = [];
    await unpackTree(dir, readTar(inPieces(stdout, 700)), {
      name: "top",
      owners: false,
      onSkipped: (what) => void skipped.push(what),
    });
    expect([await readFile(top("a"), "utf8"), await readFile(top("b"), "utf8")]).toEqual(["one\n", "one\n"]);
    const [one, other] = [await lstat(top("a")), await lstat(top("b"))];
    expect([other.ino, other.nlink]).toEqual([one.ino, 2]);
    expect(skipped).toEqual([expect.stringContaining("t/p")]);
  });
});

describe("what a hostile instance sends", () => {
  const outside = () => join(root, "outside");
  const untouched = async () => {
    expect(await readdir(outside())).toEqual(["secret"]);
    expect(await readFile(join(outside(), "secret"), "utf8")).toBe("secret");
  };
  const directory = entry("", { type: "directory", mode: 0o755 });

  it("is written through no link, be it to a file, to a directory, or over itself", async () => {
    const links = entry("l", { type: "symlink", target: outside() });
    await expect(unpack(directory, links, entry("l/evil", { size: 1 }), data("x"))).rejects.toThrow("not followed");
    await expect(unpack(directory, links, entry("l", { type: "directory" }))).rejects.toThrow("in the way");
    await expect(unpack(directory, links, entry("l/d", { type: "directory" }))).rejects.toThrow("not followed");
    await unpack(
      directory,
      entry("s", { type: "symlink", target: join(outside(), "secret") }),
      entry("s", { size: 1 }),
      data("x"),
    );
    expect(await readFile(top("s"), "utf8")).toBe("x");
    await untouched();
  });

  it("makes no copy of what a link leads to", async () => {
    const links = entry("s", { type: "symlink", target: join(outside(), "secret") });
    await expect(unpack(directory, links, { type: "copy", path: ["c"], of: ["s"] })).rejects.toThrow(
      "linked to before it came",
    );
    const replaced = [entry("s", { size: 1 }), data("x"), links, { type: "copy", path: ["c"], of: ["s"] } as const];
    await expect(unpack(directory, ...replaced)).rejects.toThrow("not followed");
    expect(await readdir(top())).toEqual(["s"]);
  });

  it("links to nothing that was there before", async () => {
    await mkdir(top());
    await writeFile(top("mine"), "secret");
    await expect(unpack(directory, { type: "copy", path: ["c"], of: ["mine"] })).rejects.toThrow(
      "linked to before it came",
    );
    await expect(unpack(directory, { type: "copy", path: ["c"], of: [] })).rejects.toThrow("not a plain file");
    expect(await readdir(top())).toEqual(["mine"]);
    expect((await lstat(top("mine"))).nlink).toBe(1);
  });

  it("takes no room by linking to one file again and again", async () => {
    const megabyte = "x".repeat(2 ** 20);
    const links = Array.from({ length: 200 }, (_, index) => ({
      type: "copy" as const,
      path: [`l${index}`],
      of: index === 0 ? ["f"] : [`l${index - 1}`],
    }));
    // The last one is a link to itself: nothing of it is left over.
    const itself = { type: "copy" as const, path: ["f"], of: ["f"] };
    await unpack(directory, entry("f", { size: megabyte.length }), data(megabyte), ...links, itself);
    const names = await readdir(top());
    expect(names).toHaveLength(201);
    const inodes = await Promise.all(names.map(async (name) => (await lstat(top(name))).ino));
    expect(new Set(inodes).size).toBe(1);
    // What comes under one of the names later is not written into the others.
    await unpack(entry("l7", { size: 1 }), data("y"));
    expect(await readFile(top("l7"), "utf8")).toBe("y");
    expect((await lstat(top("f"))).size).toBe(megabyte.length);
  });

  it("fills files of their own up to a bound where there are no hard links", async () => {
    vi.mocked(link).mockRejectedValue(Object.assign(new Error("none here"), { code: "EPERM" }));
    const link0 = { type: "copy" as const, path: ["l0"], of: ["f"] };
    await unpack(directory, entry("f", { size: 3 }), data("one"), link0);
    expect(await readFile(top("l0"), "utf8")).toBe("one");
    expect((await lstat(top("l0"))).nlink).toBe(1);
    const bounds = { copiedBytes: 10, namesBytes: treeLimits.namesBytes };
    const many = Array.from({ length: 5 }, (_, index) => ({ ...link0, path: [`m${index}`] }));
    await expect(unpackWithin(bounds, entry("f", { size: 3 }), data("one"), ...many)).rejects.toThrow(
      /^there are no hard links here, and those that came would take far more.*copy the archive$/,
    );
    expect((await readdir(top())).sort()).toEqual(["f", "l0", "m0", "m1", "m2", "m3"]);
  });

  it("is refused when its names would fill the memory", async () => {
    const bounds = { copiedBytes: 0, namesBytes: 1000 };
    const many = Array.from({ length: 20 }, (_, index) => entry(`${index}`, { type: "directory" }));
    await expect(unpackWithin(bounds, directory, ...many)).rejects.toThrow("take too much memory");
    await expect(unpackWithin(bounds, directory, ...many.slice(0, 3))).resolves.toBeUndefined();
  });

  it("does not change what a directory became that was a link when its mode is set", async () => {
    await chmod(outside(), 0o700);
    await expect(
      unpack(
        directory,
        entry("d", { type: "directory", mode: 0o777 }),
        entry("d", { type: "symlink", target: outside() }),
      ),
    ).rejects.toThrow();
    expect((await lstat(outside())).mode & 0o777).toBe(0o700);
  });

  it("leaves nothing of a file that is shorter or longer than it was said to be", async () => {
    await expect(unpack(directory, entry("f", { size: 5 }), data("abc"))).rejects.toThrow("less came");
    await expect(unpack(directory, entry("f", { size: 2 }), data("abc"))).rejects.toThrow("more came");
    expect(await readdir(top())).toEqual([]);
  });

  const tarOf = async (name: string) => {
    const one = (async function* () {
      yield entry("");
    })();
    const archive = Buffer.concat(await Array.fromAsync(writeTar(one, "x".repeat(20))));
    archive.fill(0, 0, 100);
    archive.write(name, 0);
    archive.fill(" ", 148, 156);
    const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return archive;
  };

  it.each(["../evil", "t/../../evil", "/etc/evil", "", ".", "t/.."])("is refused when a name is %j", async (name) => {
    await expect(Array.fromAsync(readTar(inPieces(await tarOf(name), 512)))).rejects.toThrow("refused");
  });

  it("is refused when it is damaged anywhere, or cut, and never ends the program", async () => {
    const archive = await tarOf("t/file");
    for (let round = 0; round < 300; round += 1) {
      const bad = Buffer.from(archive);
      bad[(round * 7919) % 512] = (round * 31 + 1) % 256;
      const items = await Array.fromAsync(readTar(inPieces(bad, 100))).catch((error: unknown) => error);
      if (items instanceof Error) expect(items.name).toBe("TreeError");
    }
    for (const length of [0, 100, 512, 1000]) {
      await expect(Array.fromAsync(readTar(inPieces(archive.subarray(0, length), 90)))).rejects.toThrow("refused");
    }
  });

  it.each(["is left early", "is damaged", "has come to its end"])("ends its source when it %s", async (how) => {
    const archive = await tarOf("t/file");
    const whole = Buffer.concat([archive, Buffer.alloc(1024)]);
    let isEnded = false;
    async function* source() {
      try {
        for (;;) yield how === "is damaged" ? Buffer.alloc(512, "?") : whole;
      } finally {
        isEnded = true;
      }
    }
    const reading = async () => {
      for await (const _ of readTar(source())) if (how === "is left early") break;
    };
    if (how === "is damaged") await expect(reading()).rejects.toThrow("refused");
    else await reading();
    expect(isEnded).toBe(true);
  });

  it("is refused when it has no end in its headers", async () => {
    const archive = await tarOf("t/file");
    async function* endless() {
      archive.write("x", 156);
      for (;;) yield archive;
    }
    await expect(Array.fromAsync(readTar(endless()))).rejects.toThrow("refused");
  });
});

describe("a directory that a guest has filled", () => {
  it("gives its names one by one, as bytes", async () => {
    const odd = Buffer.concat([Buffer.from(join(root, "out", "odd-")), Buffer.from([0xff])]);
    await writeFile(odd, "");
    for (let count = 0; count < 300; count += 1) await writeFile(join(root, "out", `f${count}`), "");
    const names = await Array.fromAsync(dir.names());
    expect(names).toHaveLength(301);
    expect(names).toContainEqual(Buffer.from("odd-\xff", "latin1"));
  });

  it("is not packed when its names would fill the memory", async () => {
    for (const name of ["a", "b", "c"]) await mkdir(join(root, "out", name));
    vi.spyOn(treeLimits as { listed: number }, "listed", "get").mockReturnValue(2);
    await expect(Array.fromAsync(packTree(dir, "."))).rejects.toThrow("holds too many files");
    vi.restoreAllMocks();
  });
});

describe("looking a path up", () => {
  it("holds no more open than a tree may be deep", async () => {
    const deep = Array.from({ length: treeLimits.depth + 2 }, () => "d");
    await mkdir(join(root, "out", ...deep), { recursive: true });
    await expect(lookUp(dir, deep.join("/"), { follow: true })).rejects.toThrow("lies too deep");
    await using place = await lookUp(dir, deep.slice(2).join("/"), { follow: true });
    expect(place.stats?.isDirectory()).toBe(true);
  });

  it("ends when links make the path longer and longer", async () => {
    await mkdir(join(root, "out", "e"));
    await symlink(`l/${"e/../".repeat(800)}`, join(root, "out", "l"));
    await expect(lookUp(dir, "l", { follow: true })).rejects.toThrow("make it too long");
  });

  it.each([
    ["a/b", "a/b"],
    ["/../../a/./b", "a/b"],
    ["up/b", "a/b"],
    ["absolute/b", "a/b"],
    ["climb/a/b", "a/b"],
  ])("stays in the tree: %s", async (path, found) => {
    await mkdir(join(root, "out", "a"));
    await writeFile(join(root, "out", "a", "b"), "b");
    await symlink("../../../a", join(root, "out", "up"));
    await symlink("/a", join(root, "out", "absolute"));
    await symlink("../../../../../..", join(root, "out", "climb"));
    await using place = await lookUp(dir, path, { follow: true });
    expect(await readFile(place.dir.at(place.name), "utf8")).toBe("b");
    expect(found).toContain(place.name);
  });

  it("ends in a circle of links", async () => {
    await symlink("b", join(root, "out", "a"));
    await symlink("a", join(root, "out", "b"));
    await expect(lookUp(dir, "a", { follow: true })).rejects.toThrow("too many symbolic links");
  });
});
