import { appendFile, lstat, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { noArchive } from "../../../tui/cli/install/archive.js";
import { Deltas } from "../../../tui/cli/install/delta.js";
import { type MadeVersion, makeVersion, standInHost, versionsIn } from "../../helpers/packaged-version.js";

/** A host with version "one", and what it is sent to have "two". */
async function setUp() {
  const host = await standInHost();
  const [one, two] = [await makeVersion(host.made, "one"), await makeVersion(host.made, "two")];
  await host.install("install", one.archive);
  const { size } = await stat(two.archive);
  // Of such small ones, leaving out is hardly worth it.
  const deltas = new Deltas({ ...noArchive, path: two.archive, id: two.id, bytes: size * 10 });
  onTestFinished(() => deltas[Symbol.asyncDispose]());
  return { ...host, one, two, deltas };
}
const sumsOf = (version: MadeVersion) => readFile(join(version.directory, "SHA256SUMS"), "utf8");

it("an archive without what a version there has makes a whole version, and both share their files", async () => {
  const { base, install, one, two, deltas } = await setUp();
  const delta = await deltas.from(one.id, () => sumsOf(one));
  expect(await install("install", delta?.path ?? "")).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await versionsIn(base)).toEqual([one.id, two.id].sort());
  const path = (version: MadeVersion, name: string) => join(base, "versions", version.id, name);
  for (const name of ["zor", "node_modules/.bin/node"]) {
    expect((await lstat(path(two, name))).ino).toBe((await lstat(path(one, name))).ino);
    expect(((await lstat(path(two, name))).mode & 0o111) > 0).toBe(true);
  }
  expect(await readFile(path(two, "manifest.json"), "utf8")).toContain("two");
});

it("a file that is damaged there, or missing, is refused: nothing is changed", async () => {
  const { base, install, one, deltas } = await setUp();
  const delta = await deltas.from(one.id, () => sumsOf(one));
  const file = join(base, "versions", one.id, "zor");
  await appendFile(file, "more");
  expect(await install("install", delta?.path ?? "")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/not whole: damaged: zor/),
  });
  await rm(file);
  expect((await install("install", delta?.path ?? "")).exitCode).toBe(1);
  expect(await versionsIn(base)).toEqual([one.id]);
});

it("it is made once for all hosts with the same version, and not where it is not known what they have", async () => {
  const { one, deltas } = await setUp();
  let reads = 0;
  const read = async () => {
    reads += 1;
    return sumsOf(one);
  };
  const all = await Promise.all([deltas.from(one.id, read), deltas.from(one.id, read)]);
  expect(all[0]).toBe(all[1]);
  expect(reads).toBe(1);
  expect(await deltas.from("0.0.1-0000000000000000", read)).toBeUndefined();
  await expect(deltas.from("0.0.1-1111111111111111", () => Promise.reject(new Error("lost")))).rejects.toThrow("lost");
});
