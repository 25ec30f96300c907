import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readTar } from "../../../../../lib/tree/tar-reader.js";
import { type CopyOptions, guestEnd, localEnd } from "../../../../../tui/cli/copy/ends.js";
import { LeftOut } from "../../../../../tui/cli/copy/left-out.js";
import { guest } from "../../../../helpers/guest-shell.js";

let directory: string;
let said: string[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-ends-"));
  said = [];
  await mkdir(join(directory, "inside", "tree", "sub"), { recursive: true });
  await mkdir(join(directory, "here"));
  await writeFile(join(directory, "inside", "tree", "one"), "one");
  await writeFile(join(directory, "inside", "tree", "sub", "two"), "two");
  await chmod(join(directory, "inside", "tree", "sub"), 0o750);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const how = (): CopyOptions => ({
  ...{ signal: AbortSignal.timeout(60_000), owners: false },
  onSkipped: (what) => void said.push(what),
  onSaid: (line) => void said.push(line),
});
const here = (...names: string[]) => join(directory, "here", ...names);

/** An instance whose tar is the system's, and then does something else. */
async function endWith(path: string, then: string) {
  const bin = join(directory, "bin");
  await mkdir(bin, { recursive: true });
  const { PATH = "" } = process.env;
  await writeFile(join(bin, "tar"), `#!/bin/sh\n${then}\n`, { mode: 0o755 });
  const env = { PATH: `${bin}:${PATH}`, REAL: PATH };
  return guestEnd(guest(Number.POSITIVE_INFINITY, env), "hosts/a/instances/c1", path);
}
const real = 'PATH=$REAL; export PATH; tar "$@"';

it("tells what tar inside says was missing, though the archive came to its end, and keeps the rest as it was", async () => {
  const missing = `${real}; echo "tar: ./tree/secret: Cannot open: Permission denied" >&2; exit 2`;
  const end = await endWith(join(directory, "inside", "tree"), missing);
  await expect(localEnd(here()).write(end.read(how()), end.base, how())).rejects.toMatchObject({
    message: expect.stringMatching(/tree\/secret: Cannot open: Permission denied/),
  });
  expect(await readFile(here("tree", "sub", "two"), "utf8")).toBe("two");
  expect(await readFile(here("tree", "one"), "utf8")).toBe("one");
  expect((await stat(here("tree", "sub"))).mode & 0o777).toBe(0o750);
});

it("leaves nothing of one file that tar inside says was not read as it is", async () => {
  const shrank = `${real}; echo "tar: ./one: File shrank by 2 bytes; padding with zeros" >&2; exit 1`;
  const end = await endWith(join(directory, "inside", "tree", "one"), shrank);
  await expect(localEnd(here()).write(end.read(how()), end.base, how())).rejects.toThrow("File shrank");
  expect(await readdir(here())).toEqual([]);
});

it("says that a tar that was killed did not give everything", async () => {
  for (const script of [`(${real}) | head -c 1700; kill -9 $$`, `${real}; kill -9 $$`]) {
    const end = await endWith(join(directory, "inside", "tree"), script);
    await expect(localEnd(here()).write(end.read(how()), end.base, how())).rejects.toThrow(/ended with|middle/);
  }
});

it("names each of many files that are missing, and what tar says of a copy that is whole", async () => {
  const many = `${real}; for n in $(seq 100); do echo "tar: ./tree/n$n: Cannot open: Permission denied" >&2; done; exit 2`;
  const end = await endWith(join(directory, "inside", "tree"), many);
  await expect(localEnd(here()).write(end.read(how()), end.base, how())).rejects.toThrow("n100: Cannot open");
  expect(said).toHaveLength(100);
  expect(said[0]).toBe("tar: ./tree/n1: Cannot open: Permission denied");
  said = [];
  const fine = await endWith(join(directory, "inside", "tree"), `${real} && echo "tar: ./tree/s: socket ignored" >&2`);
  await localEnd(here()).write(fine.read(how()), fine.base, how());
  expect(said).toEqual(["tar: ./tree/s: socket ignored"]);
});

it("does not take a copy from one instance to another for whole when the first says it is not", async () => {
  const source = await endWith(join(directory, "inside", "tree"), `${real}; echo "cannot read it" >&2; exit 2`);
  const target = guestEnd(guest(), "hosts/a/instances/c2", here());
  await expect(target.write(source.read(how()), source.base, how())).rejects.toThrow("cannot read it");
  expect(await readdir(here())).toEqual([]);
});

it("says that a directory inside was not filled when what came could not be read again there", async () => {
  await mkdir(here("tree"));
  const broken = `case "$1" in -c) ${real}; echo "tar: ./one: Cannot open" >&2; exit 2;; *) ${real};; esac`;
  const target = await endWith(here(), broken);
  const source = localEnd(join(directory, "inside", "tree"));
  await expect(target.write(source.read(how()), source.base, how())).rejects.toThrow("./one: Cannot open");
  expect(await readdir(here())).toEqual(["tree"]);
});

it("is no success when a file was left out, unlike a device", () => {
  const left = new LeftOut({ note: (line) => void said.push(line) });
  left.tell("a socket");
  left.assertNothingLost("c1");
  left.tell("a\u001b: its name is not UTF-8", true);
  expect(() => left.assertNothingLost("c1")).toThrow("one file or directory was left out");
  expect(said.join()).not.toContain("\u001b");
});

it("does not read for ever what goes on after the end of an archive", async () => {
  async function* endless(byte: number) {
    yield Buffer.alloc(1024);
    for (;;) yield Buffer.alloc(65_536, byte);
  }
  for (const byte of [0, 1]) {
    const items = await Array.fromAsync(readTar(endless(byte)));
    expect(items).toEqual([{ type: "incomplete", error: expect.objectContaining({ name: "TreeError" }) }]);
  }
});
