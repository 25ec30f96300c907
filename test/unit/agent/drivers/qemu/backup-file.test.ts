import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { backupFile } from "../../../../../agent/drivers/qemu/blocks/backup-file.js";
import { runTag } from "../../../../helpers/run-tag.js";
import { backingFormat, extensionTypes, makeQcow2 } from "./qcow2-image.js";

let root: string;
let path: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), `${runTag}-b-`));
  path = join(root, "disk0.qcow2");
});
afterEach(() => rm(root, { recursive: true, force: true }));

const look = async () => {
  await using file = await open(path);
  expect(await backupFile(new Map([["disk0.qcow2", file]]), "disk0.qcow2", "hosts/h1/instances/vm1")).toBe(file);
};

it("takes one over another", async () => {
  await writeFile(path, makeQcow2({ backingFile: "../b1/disk0.qcow2", extensions: [backingFormat("qcow2")] }));
  await look();
});

it.each([
  ["keeps its data in another file", makeQcow2({ incompatible: 1n << 2n })],
  [
    "keeps its data in another file",
    makeQcow2({ extensions: [{ type: extensionTypes.externalData, data: Buffer.from("/etc/passwd") }] }),
  ],
  ["is encrypted", makeQcow2({ cryptMethod: 1 })],
  ["restore an earlier one", Buffer.from("no image at all")],
])("refuses one that %s", async (why, content) => {
  await writeFile(path, content);
  await expect(look()).rejects.toThrow(why);
});

it("names the file that a backup lacks", async () => {
  const missing = backupFile(new Map(), "disk1.qcow2", "hosts/h1/instances/vm1");
  await expect(missing).rejects.toThrow("(disk1.qcow2) is missing");
});
