import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { replaceDisks, settleDisks } from "../../../../../agent/drivers/qemu/blocks/replaced-disks.js";

let root: string;
let disks: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-disks-"));
  disks = join(root, "disks");
  await mkdir(disks);
  await writeFile(join(disks, "disk0"), "old");
});

afterEach(() => rm(root, { recursive: true, force: true }));

const make = async (): Promise<void> => {
  await mkdir(disks);
  await writeFile(join(disks, "disk0"), "new");
};
const read = (): Promise<string> => readFile(join(disks, "disk0"), "utf8");

it("leaves the new disks alone when they are made", async () => {
  await replaceDisks(disks, make);
  expect(await read()).toBe("new");
  expect(await readdir(root)).toEqual(["disks"]);
  expect(await settleDisks(disks)).toBe(false);
});

it("leaves the old ones when they cannot be made", async () => {
  const failing = async (): Promise<void> => {
    await make();
    throw new Error("no space left");
  };
  await expect(replaceDisks(disks, failing)).rejects.toThrow("no space left");
  expect(await read()).toBe("old");
  expect(await readdir(root)).toEqual(["disks"]);
});

it("goes back to the old ones when it was cut short before the new ones counted, and to the new ones after", async () => {
  await rename(disks, `${disks}.before`);
  await make();
  expect(await settleDisks(disks)).toBe(true);
  expect(await read()).toBe("old");
  await rename(disks, `${disks}.gone`);
  await make();
  expect(await settleDisks(disks)).toBe(false);
  expect(await read()).toBe("new");
  expect(await readdir(root)).toEqual(["disks"]);
});
