import { randomBytes } from "node:crypto";
import { utimesSync } from "node:fs";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listInside } from "../../../../../tui/cli/copy/guest-tree.js";
import { resumeTreeIn, resumeTreeOut } from "../../../../../tui/cli/copy/resume-tree.js";
import { guest } from "../../../../helpers/guest-shell.js";

let directory: string;
let inside: string;
let outside: string;
let notes: string[];
let bytes: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-resume-tree-"));
  [inside, outside] = [join(directory, "inside"), join(directory, "outside")];
  await mkdir(inside);
  await mkdir(outside);
  [notes, bytes] = [[], 0];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const copy = (there: string, here: string, connection = guest()) => ({
  ...{ connection, name: "hosts/a/instances/c1", inside: there, here, signal: AbortSignal.timeout(60_000) },
  onBytes: (more: number) => {
    bytes += more;
  },
  note: (text: string) => void notes.push(text),
});

const large = randomBytes(3_000_000);
const odd = 'a \'b\n"c"';

/** A tree with files of each kind in a directory. */
async function given(top: string): Promise<void> {
  await mkdir(join(top, "sub", "deep"), { recursive: true });
  await writeFile(join(top, "small"), "small", { mode: 0o640 });
  await writeFile(join(top, "sub", odd), "odd", { mode: 0o755 });
  await writeFile(join(top, "sub", "deep", "empty"), "");
  await writeFile(join(top, "sub", "large"), large, { mode: 0o600 });
  await symlink("/no/where", join(top, "sub", "link"));
  for (const name of ["small", `sub/${odd}`, "sub/deep/empty", "sub/large"]) {
    await utimes(join(top, name), 1_600_000_000, 1_600_000_000);
  }
  await chmod(join(top, "sub", "deep"), 0o750);
  for (const name of ["sub/deep", "sub"]) await utimes(join(top, name), 1_500_000_000, 1_500_000_000);
}

async function expectWhole(top: string): Promise<void> {
  expect(await readFile(join(top, "small"), "utf8")).toBe("small");
  expect(await readFile(join(top, "sub", odd), "utf8")).toBe("odd");
  expect((await readFile(join(top, "sub", "large"))).equals(large)).toBe(true);
  expect(await readlink(join(top, "sub", "link"))).toBe("/no/where");
  const found = await Promise.all(
    ["small", `sub/${odd}`, "sub/large", "sub/deep/empty", "sub/deep", "sub"].map(async (name) => {
      const { mode, mtimeMs, size } = await stat(join(top, name));
      return [mode & 0o777, mtimeMs / 1000, name.endsWith("sub") || name.endsWith("deep") ? 0 : size];
    }),
  );
  expect(found).toEqual([
    [0o640, 1_600_000_000, 5],
    [0o755, 1_600_000_000, 3],
    [0o600, 1_600_000_000, large.length],
    [0o644, 1_600_000_000, 0],
    [0o750, 1_500_000_000, 0],
    [0o755, 1_500_000_000, 0],
  ]);
  expect((await readdir(top, { recursive: true })).filter((name) => name.includes(".zor"))).toEqual([]);
}

interface Way {
  readonly way: string;
  readonly go: typeof resumeTreeOut;
  /** Where it comes from and goes to: inside and outside. */
  readonly places: () => readonly [from: string, to: string];
  readonly paths: () => readonly [inside: string, here: string];
}
const ways: Way[] = [
  { way: "out", go: resumeTreeOut, places: () => [inside, outside], paths: () => [join(inside, "t"), outside] },
  { way: "in", go: resumeTreeIn, places: () => [outside, inside], paths: () => [inside, join(outside, "t")] },
];

describe.each(ways)("a copy of a directory $way", ({ go, places, paths }) => {
  it("that is cut off goes on in the middle of a file, is whole then, and sends nothing twice", async () => {
    const [from, to] = places();
    await given(join(from, "t"));
    await expect(go(copy(...paths(), guest(1_500_000)))).rejects.toThrow(/lost/);
    expect(notes.join("\n")).toMatch(/kept .*\.zor-part-.*the same command goes on there/);
    expect(notes.join("\n")).not.toContain("/proc/");
    expect(await readFile(join(to, "t", "small"), "utf8")).toBe("small");
    [notes, bytes] = [[], 0];
    await go(copy(...paths()));
    expect(notes.join("\n")).toMatch(/3 files are there already(.|\n)*going on after [1-9]\d+ bytes/);
    await expectWhole(join(to, "t"));
    [notes, bytes] = [[], 0];
    await go(copy(...paths()));
    expect([notes, bytes]).toEqual([["4 files are there already"], 0]);
    await expectWhole(join(to, "t"));
  });

  it("sends what has the same size and time and another content, and gives back permissions", async () => {
    const [from, to] = places();
    await given(join(from, "t"));
    await go(copy(...paths()));
    await writeFile(join(to, "t", "small"), "SMALL");
    await utimes(join(to, "t", "small"), 1_600_000_000, 1_600_000_000);
    await chmod(join(to, "t", "sub", "large"), 0o444);
    bytes = 0;
    await go(copy(...paths()));
    expect(bytes).toBe(5);
    await expectWhole(join(to, "t"));
  });

  it("takes names of several lines for what they are, also of directories with large files", async () => {
    const [from, to] = places();
    const lines = join("t", "x\ny\n");
    await mkdir(join(from, lines), { recursive: true });
    await writeFile(join(from, "t", "x"), "small");
    await writeFile(join(from, lines, "big"), large);
    await go(copy(...paths()));
    expect(await readFile(join(to, "t", "x"), "utf8")).toBe("small");
    expect((await readFile(join(to, lines, "big"))).equals(large)).toBe(true);
    expect((await readdir(to, { recursive: true })).sort()).toEqual((await readdir(from, { recursive: true })).sort());
  });

  it("follows no link that lies in the way, be it for a directory or a file", async () => {
    const [from, to] = places();
    await given(join(from, "t"));
    const elsewhere = join(directory, "elsewhere");
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, "file"), "theirs");
    await mkdir(join(to, "t"));
    await symlink(elsewhere, join(to, "t", "sub"));
    await expect(go(copy(...paths()))).rejects.toThrow(/not followed|in the way|no directory/);
    expect(await readdir(elsewhere)).toEqual(["file"]);
    await rm(join(to, "t", "sub"));
    await mkdir(join(to, "t", "sub"));
    await symlink(join(elsewhere, "file"), join(to, "t", "small"));
    await symlink(elsewhere, join(to, "t", "sub", "large"));
    await go(copy(...paths()));
    await expectWhole(join(to, "t"));
    expect([await readdir(elsewhere), await readFile(join(elsewhere, "file"), "utf8")]).toEqual([["file"], "theirs"]);
  });

  it("does not take the place of a directory", async () => {
    const [from, to] = places();
    await given(join(from, "t"));
    await mkdir(join(to, "t", "sub", "large", "mine"), { recursive: true });
    await expect(go(copy(...paths()))).rejects.toThrow(/is in the way: it is a directory|are missing or changed/);
    expect(await readdir(join(to, "t", "sub", "large"))).toEqual(["mine"]);
  });

  it("gives a new directory the name that it is told, and says which files changed meanwhile", async () => {
    const [from, to] = places();
    await given(join(from, "t"));
    const [there, here] = paths();
    const [fromPath, toPath] = go === resumeTreeOut ? [there, join(here, "new")] : [join(there, "new"), here];
    let isChanged = false;
    const changing = {
      ...copy(fromPath, toPath),
      onBytes: () => {
        if (isChanged) return;
        isChanged = true;
        utimesSync(join(from, "t", "small"), 1, 1);
      },
    };
    await expect(go(changing)).rejects.toMatchObject({ reason: "COPY_INCOMPLETE" });
    expect(notes).toContain("./small changed while it was copied");
    await go(copy(fromPath, toPath));
    expect((await stat(join(to, "new", "small"))).mtimeMs).toBe(1000);
    expect((await readdir(join(to, "new"))).sort()).toEqual(["small", "sub"]);
  });
});

it("keeps holes of files on the way here", async () => {
  await mkdir(join(inside, "t"));
  await writeFile(join(inside, "t", "f"), "begin");
  await truncate(join(inside, "t", "f"), 40_000_000);
  await resumeTreeOut(copy(join(inside, "t"), outside));
  const { size, blocks } = await lstat(join(outside, "t", "f"));
  expect(size).toBe(40_000_000);
  expect(blocks * 512).toBeLessThan(1_000_000);
});

it("takes no name from an instance that leads elsewhere", async () => {
  async function* lying(_: string, [, mark = ""]: readonly string[]) {
    yield Buffer.from(`${mark} 41ed 0 0 .\n${mark} 81a4 1 1 ./../../evil\n`);
  }
  await expect(listInside(lying, "/d", "m")).rejects.toThrow("leads elsewhere");
});

it("tells what cannot be read inside and copies the rest", async () => {
  await given(join(inside, "t"));
  async function* lacking(_: string, [, mark = ""]: readonly string[]) {
    yield Buffer.from(`${mark} 41ed 0 0 .\n${mark} 81a4 1 1 ./file\n${mark} 61b0 0 0 ./device`);
    throw new Error("find: ./secret: Permission denied");
  }
  const { entries, odd: left, failure } = await listInside(lacking, "/d", "m");
  expect(entries.map(({ path }) => path)).toEqual([[], ["file"]]);
  expect(left).toEqual([{ what: expect.stringContaining("./device is neither"), isLost: false }]);
  expect(failure).toBeInstanceOf(Error);
});

it("counts names that cannot be had here as lost", async () => {
  await mkdir(join(inside, "t"));
  await writeFile(Buffer.concat([Buffer.from(join(inside, "t", "n")), Buffer.of(0xff)]), "lost");
  await expect(resumeTreeOut(copy(join(inside, "t"), outside))).rejects.toMatchObject({ reason: "COPY_INCOMPLETE" });
  expect(notes.join("\n")).toContain("its name is not UTF-8");
});

it("takes no more than a path for where it goes, whatever the guest says", async () => {
  await given(join(outside, "t"));
  async function* bidi(): AsyncGenerator<object> {
    for (;;) yield { message: { $case: "stdout", value: Buffer.alloc(65_536, "x") } };
  }
  const endless = { bidi } as never;
  await expect(resumeTreeIn(copy(inside, join(outside, "t"), endless))).rejects.toThrow(/more than the path/);
});
