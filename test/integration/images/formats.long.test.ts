import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { type PreparedImage, prepareImage } from "../../../agent/images/import/prepare.js";
import { resourceExhausted } from "../../../lib/errors.js";
import { noise } from "../../helpers/image-imports.js";
import { backingFormat, extensionTypes, makeQcow2 } from "../../unit/agent/drivers/qemu/qcow2-image.js";

const mebibyte = 1024 * 1024;
const diskBytes = 4 * mebibyte;
const room = {
  assertFits: () => Promise.reject(resourceExhausted("UNUSED", "unused")),
  spareBytes: async () => 16 * mebibyte,
  largestDiskBytes: async () => 1024 * mebibyte,
};
let scratch: string;
let disk: Buffer;
let count = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "zt-formats-"));
  // A hole in the middle, as disks have.
  disk = Buffer.concat([noise("begin", mebibyte), Buffer.alloc(2 * mebibyte), noise("end", mebibyte)]);
  await writeFile(join(scratch, "disk.raw"), disk);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function prepare(
  bytes: Buffer,
  signal = new AbortController().signal,
  steps: string[] = [],
): Promise<PreparedImage> {
  count += 1;
  const directory = join(scratch, `import${count}`);
  await mkdir(directory, { mode: 0o700 });
  await writeFile(join(directory, "data"), bytes);
  return await prepareImage({
    ...{ directory, file: "data", room, spareBytes: 16 * mebibyte, signal },
    progress: (step) => steps.push(step),
  });
}

async function converted(format: string, ...options: readonly string[]): Promise<Buffer> {
  const path = join(scratch, `disk.${format}`);
  await run("qemu-img", ["convert", "-f", "raw", "-O", format, ...options, join(scratch, "disk.raw"), path]);
  return readFile(path);
}

/** What a guest would see of it. */
async function seen({ path, content }: PreparedImage): Promise<Buffer> {
  const raw = `${path}.raw`;
  await run("qemu-img", ["convert", "-f", content.format, "-O", "raw", path, raw]);
  return readFile(raw);
}

/** An archive of the tests' directory, made by a tool. */
async function archived(tool: string, argv: readonly string[], file: string): Promise<Buffer> {
  await run(tool, argv, { cwd: scratch });
  return readFile(join(scratch, file));
}

const ova = (...disks: readonly string[]) =>
  archived("tar", ["--format=ustar", "-cf", "x.ova", "x.ovf", ...disks], "x.ova");

describe("what comes in another form", () => {
  it.each<[string, () => Promise<Buffer>, string]>([
    ["raw", async () => disk, "raw"],
    ["gzip", async () => gzipSync(disk), "raw"],
    ["Zstandard", async () => zstdCompressSync(disk), "raw"],
    ["xz", () => archived("xz", ["--keep", "--force", "-0", "disk.raw"], "disk.raw.xz"), "raw"],
    ["bzip2", () => archived("bzip2", ["--keep", "--force", "-1", "disk.raw"], "disk.raw.bz2"), "raw"],
    ["qcow2", () => converted("qcow2"), "qcow2"],
    ["compressed qcow2 in gzip", async () => gzipSync(await converted("qcow2", "-c")), "qcow2"],
    ["vmdk", () => converted("vmdk"), "qcow2"],
    ["streamOptimized vmdk", () => converted("vmdk", "-o", "subformat=streamOptimized"), "qcow2"],
    ["vdi", () => converted("vdi"), "qcow2"],
    ["vhdx", () => converted("vhdx"), "qcow2"],
    ["vpc", () => converted("vpc", "-o", "force_size=on"), "qcow2"],
    [
      "OVA",
      async () => {
        await writeFile(join(scratch, "x.ovf"), "<Envelope/>");
        await converted("vmdk", "-o", "subformat=streamOptimized");
        return ova("disk.vmdk");
      },
      "qcow2",
    ],
  ])("is an image that has the same content: %s", async (_form, make, format) => {
    const steps: string[] = [];
    const image = await prepare(await make(), undefined, steps);
    expect(image.content.format).toBe(format);
    expect(image.scanned.sizeBytes).toBe((await stat(image.path)).size);
    expect((await seen(image)).subarray(0, diskBytes).equals(disk)).toBe(true);
    expect(steps).not.toEqual([]);
    // Nothing of the steps between stays.
    expect(await readdir(join(scratch, `import${count}`))).toHaveLength(2);
  });

  it("keeps holes", async () => {
    const image = await prepare(gzipSync(disk));
    expect((await stat(image.path)).blocks * 512).toBeLessThan(3 * mebibyte);
  });

  it("ends with whoever asked for it", async () => {
    await expect(prepare(await converted("vdi"), AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
  });
});

/** A VMDK of qemu-img with another text in its descriptor. */
async function vmdk(change: (descriptor: string) => string): Promise<Buffer> {
  const bytes = Buffer.from(await converted("vmdk"));
  const text = bytes.toString("latin1", 512, 512 + 20 * 512).replace(/\0.*$/s, "");
  bytes.fill(0, 512, 512 + 20 * 512);
  bytes.write(change(text), 512, "latin1");
  return bytes;
}

/** Bytes of one with a number elsewhere. */
function patched(bytes: Buffer, offset: number, value: bigint, size: 4 | 8 = 8): Buffer {
  const copy = Buffer.from(bytes);
  if (size === 8) copy.writeBigUInt64LE(value, offset);
  else copy.writeUInt32LE(Number(value), offset);
  return copy;
}

describe("what would harm", () => {
  it.each<[string, () => Promise<Buffer> | Buffer, RegExp]>([
    [
      "a backing file outside",
      () => makeQcow2({ backingFile: "/etc/shadow", extensions: [backingFormat("raw")] }),
      /backing file/,
    ],
    [
      "a json: name",
      () => makeQcow2({ backingFile: 'json:{"driver":"file","filename":"/etc/shadow"}' }),
      /backing file/,
    ],
    [
      "a data file",
      () =>
        makeQcow2({
          incompatible: 4n,
          extensions: [{ type: extensionTypes.externalData, data: Buffer.from("/etc/shadow") }],
        }),
      /another file/,
    ],
    ["1 PiB", () => makeQcow2({ virtualSizeBytes: 2n ** 50n }), /disk.instanceMib/],
    ["an impossible size", () => makeQcow2({ virtualSizeBytes: 2n ** 63n }), /impossible size/],
    [
      "a VMDK descriptor with extents outside",
      () => Buffer.from('# Disk DescriptorFile\nRW 63 FLAT "/etc/shadow" 0\n'),
      /VMDK descriptor/,
    ],
    [
      "a VMDK whose header leads to its descriptor's extents",
      async () => patched(await converted("vmdk"), 12, 0n),
      /other files/,
    ],
    [
      "a VMDK with a flat extent",
      () => vmdk((text) => text.replace(/^RW .*$/m, 'RW 8192 FLAT "/etc/shadow" 0')),
      /extents/,
    ],
    ["a VMDK with two extents", () => vmdk((text) => `${text}\nRW 1 SPARSE "b.vmdk"\n`), /extents/],
    [
      "a VMDK of another type",
      () => vmdk((text) => text.replace("monolithicSparse", "monolithicFlat")),
      /monolithicFlat/,
    ],
    [
      "a VMDK with a parent",
      () =>
        vmdk((text) => `${text.replace("parentCID=ffffffff", "parentCID=12345678")}parentFileNameHint="/etc/shadow"\n`),
      /difference/,
    ],
    [
      "a VMDK with a parent behind a NUL",
      () => vmdk((text) => `${text}\0parentCID=1\nparentFileNameHint="/etc/shadow"\n`),
      /difference/,
    ],
    ["a VDI with a parent", async () => patched(await converted("vdi"), 0x1a8, 1n), /difference/],
    ["a VDI of 1 PiB", async () => patched(await converted("vdi"), 0x170, 2n ** 50n), /VDI|vdi|MiB/],
    ["a VHDX of garbage", () => Buffer.concat([Buffer.from("vhdxfile"), noise("x", mebibyte)]), /damaged vhdx/],
    ["a gzip bomb", () => gzipSync(Buffer.alloc(20 * mebibyte)), /larger than 16 MiB/],
    ["a Zstandard bomb", () => zstdCompressSync(Buffer.alloc(20 * mebibyte)), /larger than 16 MiB/],
    [
      "an xz bomb",
      async () => {
        await run("truncate", ["--size=20M", join(scratch, "bomb")]);
        return archived("xz", ["--force", "-0", "bomb"], "bomb.xz");
      },
      /larger than 16 MiB/,
    ],
    [
      "a zip bomb",
      async () => {
        await run("truncate", ["--size=20M", join(scratch, "bomb.img")]);
        await run(
          "python3",
          ["-c", "import zipfile; zipfile.ZipFile('b.zip','w',zipfile.ZIP_DEFLATED).write('bomb.img')"],
          { cwd: scratch },
        );
        return readFile(join(scratch, "b.zip"));
      },
      /more than the host has room|larger than/,
    ],
    [
      "gzip in gzip in gzip",
      () => Array.from({ length: 6 }).reduce<Buffer>((bytes) => gzipSync(bytes), disk),
      /too many layers/,
    ],
    ["gzip that was cut", () => gzipSync(disk).subarray(0, mebibyte), /damaged or was cut short/],
    ["an OVA with two disks", () => ova("disk.raw", "disk.vdi"), /2 files that may be disks/],
    ["an OVA with none", () => ova(), /no disk/],
    ["a zip archive that was cut", () => Buffer.concat([Buffer.from("PK\x03\x04"), noise("z", 4096)]), /cut short/],
    ["a program", () => Buffer.concat([Buffer.from("\x7fELF"), noise("e", 4092)]), /program/],
  ])("is refused with the reason: %s", async (_what, make, why) => {
    await expect(prepare(await make())).rejects.toThrow(why);
  });

  it("cannot have a tool read what the tool is not given", async () => {
    // Past every check of ours, as if one of them were wrong: the user that converts cannot open it.
    const secret = join(scratch, "secret");
    await writeFile(secret, noise("secret", 4096), { mode: 0o600 });
    const { runSandboxed } = await import("../../../agent/images/sandboxed-tool.js");
    const read = (file: string) =>
      runSandboxed({
        ...{ tool: "cat", argv: [file], files: [], maxFileBytes: 1 },
        ...{ signal: new AbortController().signal, onOutput: () => undefined },
      });
    await expect(read(secret)).rejects.toThrow(/Permission denied/);
    await expect(read("/etc/shadow")).rejects.toThrow(/Permission denied/);
    await read("/etc/hostname");
  });
});
