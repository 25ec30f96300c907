import { lstat, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { takeSocket } from "../../../../../../agent/drivers/qemu/look/take-socket.js";
import { runTag } from "../../../../../helpers/run-tag.js";

const user = process.getuid?.() ?? 0;
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), `${runTag}-t-`));
});
afterEach(() => rm(root, { recursive: true, force: true }));

it("gives a socket a second name", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, "nbd"), resolve));
  try {
    await takeSocket(join(root, "nbd"), join(root, "own"), user);
    expect((await lstat(join(root, "own"))).isSocket()).toBe(true);
    expect((await stat(join(root, "own"))).ino).toBe((await stat(join(root, "nbd"))).ino);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

it.each(["a link to a file of the host", "a file"])("gives away nothing of %s in its place", async (what) => {
  await writeFile(join(root, "host"), "host");
  if (what === "a file") await writeFile(join(root, "nbd"), "");
  else await symlink(join(root, "host"), join(root, "nbd"));
  const before = await stat(join(root, "host"), { bigint: true });
  await expect(takeSocket(join(root, "nbd"), join(root, "own"), user)).rejects.toThrow("something else");
  // Also a change of owner to the same one would show here.
  expect((await stat(join(root, "host"), { bigint: true })).ctimeNs).toBe(before.ctimeNs);
  expect((await readdir(root)).toSorted()).toEqual(["host", "nbd"]);
});
