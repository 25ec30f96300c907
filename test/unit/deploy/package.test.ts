import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { lastingRoot } from "../../../lib/program.js";
import { runOwned } from "../../helpers/owned.js";

const root = join(import.meta.dirname, "../../..");

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "zor-package-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

it("an installation is written down by the path that stays", async () => {
  const base = await directory();
  const version = join(base, "versions/0.1.0-0123456789abcdef");
  await mkdir(version, { recursive: true });
  expect(lastingRoot(version)).toBe(version);
  await symlink(version, join(base, "current"));
  expect(lastingRoot(version)).toBe(join(base, "current"));
  expect(lastingRoot("/home/ana/zorhub")).toBe("/home/ana/zorhub");
});

it("a program without its symbols is smaller and runs", async () => {
  const { withoutSymbols } = await import(join(root, "deploy/package/elf.mjs"));
  const shell = await readFile(await realpath("/bin/sh"));
  const less: Buffer = withoutSymbols(shell);
  expect(less.length).toBeLessThan(shell.length);
  const program = join(await directory(), "sh");
  await writeFile(program, less, { mode: 0o755 });
  expect(await runOwned(program, ["-c", "echo runs"])).toMatchObject({ exitCode: 0, stdout: "runs" });
  expect(() => withoutSymbols(Buffer.from("#!/bin/sh\n".repeat(10)))).toThrow("no 64 bit ELF");
});

it("archives carry every package that programs load while they run", async () => {
  const { loadedLater } = await import(join(root, "deploy/bundles.mjs"));
  const loaded = new Set<string>();
  for (const program of ["agent", "hub", "lib", "tui", "deploy"]) {
    for (const file of await readdir(join(root, program), { recursive: true })) {
      if (!/\.tsx?$/.test(file)) continue;
      const text = await readFile(join(root, program, file), "utf8");
      if (!text.includes("createRequire(")) continue;
      for (const [, name = ""] of text.matchAll(/\b(?:load|require)\w*\("((?!node:)[^".][^"]*)"\)/g)) loaded.add(name);
    }
  }
  expect([...loaded]).toEqual(["string-width"]);
  expect(loadedLater).toEqual(expect.arrayContaining([...loaded, "koffi", "ssh2"]));
});
