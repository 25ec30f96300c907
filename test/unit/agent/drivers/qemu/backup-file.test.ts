import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openBackupFile } from "../../../../../agent/drivers/qemu/blocks/backup-file.js";
import { runTag } from "../../../../helpers/run-tag.js";
import { backingFormat, extensionTypes, makeQcow2 } from "./qcow2-image.js";

let root: string;
let path: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), `${runTag}-b-`));
  path = join(root, "disk0.qcow2");
});
afterEach(() => rm(root, { recursive: true, force: true }));

it("opens one over another", async () => {
  await writeFile(path, makeQcow2({ backingFile: "../b1/disk0.qcow2", extensions: [backingFormat("qcow2")] }));
  await (await openBackupFile(path, "hosts/h1/instances/vm1")).close();
});

it.each([
  ["keeps its data in another file", makeQcow2({ incompatible: 1n << 2n })],
  [
    "keeps its data in another file",
    makeQcow2({ extensions: [{ type: extensionTypes.externalData, data: Buffer.from("/etc/passwd") }] }),
  ],
  ["is encrypted", makeQcow2({ cryptMethod: 1 })],
  ["somebody has changed it", Buffer.from("no image at all")],
])("refuses one that %s", async (why, content) => {
  await writeFile(path, content);
  await expect(openBackupFile(path, "hosts/h1/instances/vm1")).rejects.toThrow(why);
});

it("follows no link", async () => {
  await writeFile(join(root, "other"), makeQcow2());
  await symlink(join(root, "other"), path);
  await expect(openBackupFile(path, "hosts/h1/instances/vm1")).rejects.toThrow();
});
