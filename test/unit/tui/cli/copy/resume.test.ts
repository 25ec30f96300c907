import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { guest } from "../../../../helpers/guest-shell.js";
import { resumeIn, resumeOut } from "../../../../../tui/cli/copy/resume.js";

let directory: string;
let inside: string;
let outside: string;
let notes: string[];
let bytes: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-resume-"));
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

const content = randomBytes(3_000_000);
async function given(path: string, data = content): Promise<void> {
  await writeFile(path, data, { mode: 0o640 });
  await utimes(path, 1_600_000_000, 1_600_000_000);
}
async function expectWhole(path: string): Promise<void> {
  expect((await readFile(path)).equals(content)).toBe(true);
  const { mode, mtimeMs } = await stat(path);
  expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1_600_000_000_000]);
}
const parts = async (place: string) => (await readdir(place)).filter((name) => name.startsWith(".zor"));

interface Way {
  readonly way: string;
  readonly go: typeof resumeOut;
  /** Where it comes from and goes to: inside and outside. */
  readonly places: () => readonly [from: string, to: string];
  readonly paths: () => readonly [inside: string, here: string];
}
const ways: Way[] = [
  { way: "out", go: resumeOut, places: () => [inside, outside], paths: () => [join(inside, "f"), outside] },
  { way: "in", go: resumeIn, places: () => [outside, inside], paths: () => [inside, join(outside, "f")] },
];

describe.each(ways)("a copy $way that is cut off", ({ go, places, paths }) => {
  it("goes on where it was, and is whole then", async () => {
    const [from, to] = places();
    await given(join(from, "f"));
    await expect(go(copy(...paths(), guest(1_500_000)))).rejects.toThrow(/lost/);
    expect(notes.join()).toMatch(/kept .*\.zor-part-.*the same command goes on there/);
    expect(await readdir(to)).toEqual([expect.stringMatching(/^\.zor-part-/)]);
    bytes = 0;
    await go(copy(...paths()));
    expect(notes.join()).toMatch(/going on after [1-9]\d+ bytes/);
    expect(bytes).toBe(content.length);
    await expectWhole(join(to, "f"));
    expect(await readdir(to)).toEqual(["f"]);
  });

  it("begins anew when what came is not right", async () => {
    const [from, to] = places();
    await given(join(from, "f"));
    await expect(go(copy(...paths(), guest(1_500_000)))).rejects.toThrow(/lost/);
    const [part = ""] = await parts(to);
    await writeFile(join(to, part), Buffer.alloc(1_000_000, 1));
    notes = [];
    await go(copy(...paths()));
    expect(notes).toEqual([]);
    await expectWhole(join(to, "f"));
  });

  it("begins anew when the file is another, and leaves the other part alone", async () => {
    const [from, to] = places();
    await given(join(from, "f"), Buffer.from(content).reverse());
    await expect(go(copy(...paths(), guest(1_500_000)))).rejects.toThrow(/lost/);
    await given(join(from, "f"));
    await utimes(join(from, "f"), 1_600_000_000, 1_600_000_001);
    await go(copy(...paths()));
    expect((await readFile(join(to, "f"))).equals(content)).toBe(true);
    expect(await parts(to)).toHaveLength(1);
  });

  it("carries an empty file, and refuses a directory and what is not there", async () => {
    const [from, to] = places();
    await given(join(from, "f"), Buffer.alloc(0));
    await go(copy(...paths()));
    expect((await stat(join(to, "f"))).size).toBe(0);
    await rm(join(from, "f"));
    await expect(go(copy(...paths()))).rejects.toThrow(/plain file|not exist/);
    await mkdir(join(from, "f"));
    await expect(go(copy(...paths()))).rejects.toThrow(/plain file/);
  });

  it("does not take the place of a directory", async () => {
    const [from, to] = places();
    await given(join(from, "f"));
    await mkdir(join(to, "f"));
    await expect(go(copy(...paths()))).rejects.toThrow(/is a directory/);
    expect(await readdir(to)).toEqual(["f"]);
  });
});

it("keeps holes on the way here, and counts them when it goes on", async () => {
  const path = join(inside, "f");
  await given(path, Buffer.from("begin"));
  await truncate(path, 40_000_000);
  await utimes(path, 1_600_000_000, 1_600_000_000);
  await expect(resumeOut(copy(path, outside, guest(20_000_000)))).rejects.toThrow(/lost/);
  const [part = ""] = await parts(outside);
  expect((await stat(join(outside, part))).size).toBeGreaterThan(15_000_000);
  await resumeOut(copy(path, outside));
  const { size, blocks } = await stat(join(outside, basename(path)));
  expect(size).toBe(40_000_000);
  expect(blocks * 512).toBeLessThan(1_000_000);
});

it("says that a file changed while it was copied, and keeps nothing of it", async () => {
  const path = join(outside, "f");
  await given(path);
  const changing = { ...copy(inside, path), onBytes: () => void utimes(path, 1, 1) };
  await expect(resumeIn(changing)).rejects.toMatchObject({ reason: "FILE_CHANGED" });
  expect(await readdir(inside)).toEqual([]);
});

it("leaves nothing when nothing came", async () => {
  await given(join(inside, "f"));
  await expect(resumeOut(copy(join(inside, "f"), outside, guest(200)))).rejects.toThrow(/lost/);
  expect(await readdir(outside)).toEqual([]);
  expect(notes).toEqual([]);
});
