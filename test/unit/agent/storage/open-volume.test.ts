import { link, mkdtemp, realpath, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseQcow2Header } from "../../../../agent/drivers/qemu/qcow2.js";
import { emptyQcow2 } from "../../../../agent/storage/empty-qcow2.js";
import { openVolumeFile } from "../../../../agent/storage/open-volume.js";
import { allowedPoolSchema, isAllowedDirectory } from "../../../../agent/storage/pool-policy.js";

const size = 8n * 1024n * 1024n;
const name = "hosts/h1/volumes/v1";
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "zt-volume-")));
  path = join(directory, "zor-1.qcow2");
  await writeFile(path, emptyQcow2(size));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const open = (format: "qcow2" | "raw" = "qcow2") => openVolumeFile(path, { name, sizeBytes: size, format });
const refused = (why: RegExp, format: "qcow2" | "raw" = "qcow2") =>
  expect(open(format)).rejects.toMatchObject({ reason: "VOLUME_DAMAGED", message: expect.stringMatching(why) });

describe("the file of a volume", () => {
  it("is opened as it was made", async () => {
    await using file = await open();
    expect((await file.stat()).size).toBeGreaterThan(0);
    for (const bytes of [1n << 20n, 1n << 33n, 1n << 44n]) {
      expect(parseQcow2Header(emptyQcow2(bytes))).toMatchObject({ virtualSizeBytes: bytes, backingFile: undefined });
    }
  });

  it("is not opened through a link, of any part of its path, nor under another name", async () => {
    const other = join(directory, "other");
    await rename(path, other);
    await symlink(other, path);
    await refused(/cannot be opened/);
    await rm(path);
    await link(other, path);
    await refused(/another name/);
    await rm(other);
    await symlink(directory, `${directory}-link`);
    const through = join(`${directory}-link`, "zor-1.qcow2");
    await expect(openVolumeFile(through, { name, sizeBytes: size, format: "qcow2" })).rejects.toMatchObject({
      reason: "VOLUME_DAMAGED",
    });
    await rm(`${directory}-link`);
  });

  it("is refused when somebody has put a file below it, or taken some of it", async () => {
    const hostile = emptyQcow2(size);
    const backing = "/etc/shadow";
    hostile.writeBigUInt64BE(512n, 8);
    hostile.writeUInt32BE(backing.length, 16);
    hostile.write(backing, 512);
    await writeFile(path, hostile);
    await refused(/stands over another file/);
    await writeFile(path, emptyQcow2(size / 2n));
    await refused(/is a disk of 4194304 bytes/);
    await writeFile(path, "no header");
    await refused(/is not qcow2/);
    await truncate(path, Number(size) - 512);
    await refused(/is a disk of/, "raw");
    await truncate(path, Number(size));
    await using file = await open("raw");
    expect(await file.stat()).toMatchObject({ size: Number(size) });
  });
});

describe("what pools may be made of", () => {
  it("is what the settings name, and what is in it", () => {
    const policy = [allowedPoolSchema.parse({ directory: "/srv/x" }), allowedPoolSchema.parse({ volumeGroup: "vg0" })];
    const allowed = ["/srv/x", "/srv/x/y", "/srv/xy", "/srv", "/", "vg0"].map((each) =>
      isAllowedDirectory(policy, each),
    );
    expect(allowed).toEqual([true, true, false, false, false, false]);
  });

  it.each([
    { directory: "/" },
    { directory: "srv" },
    { directory: "/srv/../etc" },
    { volumeGroup: "-x" },
    { other: "x" },
  ])("is not read of %o", (entry) => {
    expect(allowedPoolSchema.safeParse(entry).success).toBe(false);
  });
});
