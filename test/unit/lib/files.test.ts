import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { canRun } from "../../../lib/files.js";

it("only what is a program can be run: no directory, no other file, nothing that is not there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-files-"));
  try {
    await writeFile(join(directory, "program"), "#!/bin/sh\n", { mode: 0o755 });
    await writeFile(join(directory, "text"), "", { mode: 0o644 });
    await symlink("program", join(directory, "link"));
    const names = ["program", "link", "text", "none", "."];
    expect(await Promise.all(names.map((name) => canRun(join(directory, name))))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
