import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Companion } from "../../../../../agent/drivers/qemu/companion.js";
import { runTag } from "../../../../helpers/run-tag.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), `${runTag}-c-`));
});
afterEach(() => rm(root, { recursive: true, force: true }));

it("bounds what a guest can have it say", async () => {
  const companion = new Companion(root, "share");
  await companion.boundLog();
  const log = join(root, "share.log");
  await writeFile(log, "one\ntwo\n");
  await companion.boundLog();
  expect(await companion.lastWords()).toBe("two");
  await writeFile(log, Buffer.alloc(1024 * 1024 + 1, 120));
  await companion.boundLog();
  expect((await stat(log)).size).toBe(0);
});
