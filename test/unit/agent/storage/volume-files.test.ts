import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { VolumeFiles } from "../../../../agent/storage/volume-files.js";
import { runTag } from "../../../helpers/run-tag.js";
import { poolOf, volumeOf } from "./scripted-tools.js";

const pool = poolOf({ $case: "directory", value: { path: "" } });
let root: string;
let files: VolumeFiles;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), `${runTag}-f-`)));
  await mkdir(join(root, "pool"));
  files = new VolumeFiles(() => join(root, "pool"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

it.each(["raw", "qcow2"] as const)("makes, opens and removes the file of a volume in %s", async (format) => {
  const volume = volumeOf(format);
  await files.create(pool, volume);
  expect(await readdir(join(root, "pool"))).toEqual([`zor-0b9e-77.${format}`]);
  await (await files.open(pool, volume)).close();
  expect(await files.allocated(pool, volume)).toBeLessThan(volume.sizeBytes);
  await files.remove(pool, volume);
  await files.remove(pool, volume);
  expect(await readdir(join(root, "pool"))).toEqual([]);
});

it("grows a raw one", async () => {
  const volume = volumeOf();
  await files.create(pool, volume);
  await files.resize(pool, volume, volume.sizeBytes * 2n);
  expect((await stat(files.pathOf(pool, volume))).size).toBe(Number(volume.sizeBytes * 2n));
});

it("tells nothing of what a link in the place of its file leads to", async () => {
  const volume = volumeOf();
  await writeFile(join(root, "secret"), Buffer.alloc(1024 * 1024, 1));
  await symlink(join(root, "secret"), files.pathOf(pool, volume));
  expect(await files.allocated(pool, volume)).toBeLessThan(1024n * 1024n);
});

it("follows no link that stands where its directory was, and keeps what is behind it", async () => {
  const volume = volumeOf();
  await files.create(pool, volume);
  await rename(join(root, "pool"), join(root, "elsewhere"));
  await symlink(join(root, "elsewhere"), join(root, "pool"));
  const lost = "its directory cannot be had";
  await expect(files.create(pool, volume)).rejects.toThrow(lost);
  await expect(files.remove(pool, volume)).rejects.toThrow(lost);
  await expect(files.allocated(pool, volume)).rejects.toThrow(lost);
  await expect(files.open(pool, volume)).rejects.toThrow("cannot be opened on the host");
  expect(await readdir(join(root, "elsewhere"))).toEqual(["zor-0b9e-77.raw"]);
});
