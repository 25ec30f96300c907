import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { replaceDisks, settleDisks } from "../../../../../agent/drivers/qemu/blocks/replaced-disks.js";

let root: string;
let disks: string;
/** What was said of what else was made. */
let kept: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-disks-"));
  disks = join(root, "disks");
  await mkdir(disks);
  await writeFile(join(disks, "disk0"), "old");
  kept = [];
});

afterEach(() => rm(root, { recursive: true, force: true }));

const make = async (): Promise<void> => {
  await mkdir(disks);
  await writeFile(join(disks, "disk0"), "new");
};
const settle = async (keep: string): Promise<void> => void kept.push(keep);
const read = (): Promise<string> => readFile(join(disks, "disk0"), "utf8");

it("leaves the new disks alone when they are made", async () => {
  await replaceDisks(disks, { make, settle });
  expect(await read()).toBe("new");
  expect(await readdir(root)).toEqual(["disks"]);
  expect(kept).toEqual(["old", "new"]);
  expect(await settleDisks(disks, settle)).toBe(false);
});

it("leaves the old ones when they cannot be made", async () => {
  const failing = async (): Promise<void> => {
    await make();
    throw new Error("no space left");
  };
  await expect(replaceDisks(disks, { make: failing, settle })).rejects.toThrow("no space left");
  expect(await read()).toBe("old");
  expect(kept).toEqual(["old", "old"]);
  expect(await readdir(root)).toEqual(["disks"]);
});

it("counts the new ones until all else that was made could be adopted", async () => {
  await rename(disks, `${disks}.gone`);
  await make();
  const failing = () => Promise.reject(new Error("no space left"));
  await expect(settleDisks(disks, failing)).rejects.toThrow("no space left");
  expect(await readdir(root)).toEqual(["disks", "disks.gone"]);
  expect(await settleDisks(disks, settle)).toBe(false);
  expect(kept).toEqual(["new"]);
  expect(await readdir(root)).toEqual(["disks"]);
});

it("goes back to the old ones when it was cut short before the new ones counted, and to the new ones after", async () => {
  await rename(disks, `${disks}.before`);
  await make();
  expect(await settleDisks(disks, settle)).toBe(true);
  expect(await read()).toBe("old");
  await rename(disks, `${disks}.gone`);
  await make();
  expect(await settleDisks(disks, settle)).toBe(false);
  expect(await read()).toBe("new");
  expect(await readdir(root)).toEqual(["disks"]);
});
