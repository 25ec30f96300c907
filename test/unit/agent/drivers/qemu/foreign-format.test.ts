import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openChain } from "../../../../../agent/drivers/qemu/image-chain.js";
import { withoutArguments } from "../../../../../agent/drivers/qemu/start-failure.js";
import { run } from "../../../../../agent/host/exec.js";
import { makeQcow2 } from "./qcow2-image.js";

const megabyte = 1024 * 1024;
const at = (offset: number, magic: string) => {
  const image = Buffer.alloc(64 * 1024);
  image.write(magic, offset, "latin1");
  return image;
};

describe("an image that is neither qcow2 nor raw", () => {
  let root: string;
  const opened = async (name: string) => {
    await using chain = await openChain([root], name, "f");
    return chain.layers.map(({ format }) => format);
  };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "zt-"));
    await writeFile(join(root, "disk.qcow2"), makeQcow2());
    await run("truncate", ["-s", `${megabyte}`, join(root, "plain.raw")]);
  });
  afterAll(() => rm(root, { recursive: true }));

  type Case = readonly [string, RegExp, (from: string, to: string) => Promise<unknown>];
  const tools: readonly Case[] = [
    [
      "gzip",
      /compressed with gzip; unpack it on the host with gunzip/,
      (from) => run("gzip", ["--keep", "-S", ".out", from]),
    ],
    ["xz", /compressed with xz/, (from) => run("xz", ["--keep", "-S", ".out", from])],
    [
      "bzip2",
      /compressed with bzip2/,
      async (from, to) => {
        await run("bzip2", ["--keep", from]);
        await run("mv", [`${from}.bz2`, to]);
      },
    ],
    ["Zstandard", /compressed with Zstandard/, (from, to) => run("zstd", ["-q", from, "-o", to])],
    ["tar", /tar archive, perhaps an OVA/, (from, to) => run("tar", ["-cPf", to, from])],
    ...(["vmdk", "vdi", "vhdx", "vpc", "qcow", "qed", "parallels"] as const).map(
      (format) =>
        [
          format,
          /qemu-img convert -O qcow2/,
          (_: string, to: string) => run("qemu-img", ["create", "-q", "-f", format, to, "1M"]),
        ] satisfies Case,
    ),
    [
      "fixed vpc",
      /a VHD image of fixed size/,
      (_, to) => run("qemu-img", ["create", "-q", "-f", "vpc", "-o", "subformat=fixed", to, "1M"]),
    ],
  ];
  it.each(tools)("is named when it is %s, and also when it is padded", async (what, words, make) => {
    const from = join(root, `source-${what.replace(" ", "-")}`);
    await run("cp", [join(root, "disk.qcow2"), from]);
    const name = `source-${what.replace(" ", "-")}.out`;
    await make(from, join(root, name));
    for (const padding of ["%1", "%512", "%4096"]) {
      await run("truncate", ["-s", padding, join(root, name)]);
      await expect(opened(name)).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        message: expect.stringMatching(words),
      });
    }
  });

  it.each([
    ["a zip archive", at(0, "PK\x03\x04")],
    ["a 7z archive", at(0, "7z\xbc\xaf\x27\x1c")],
    ["compressed with LZ4", at(0, "\x04\x22\x4d\x18")],
    ["an ISO 9660 image", at(0x8001, "CD001")],
    ["encrypted with LUKS", at(0, "LUKS\xba\xbe")],
    ["an HTML page", at(0, "\n<!DOCTYPE html>\n<html><head><title>404 Not Found")],
    ["an HTML page", at(0, "<!-- served by x -->\n<HTML>")],
    ["an XML document", at(0, '<?xml version="1.0"?><Error><Code>NoSuchKey')],
    ["a pointer of Git LFS", at(0, "version https://git-lfs.github.com/spec/v1")],
    ["empty", Buffer.alloc(0)],
  ])("is named when it is %s", async (words, content) => {
    await writeFile(join(root, "odd.img"), content);
    await expect(opened("odd.img")).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining(words),
    });
  });

  it("is told apart from disks: blank ones, and those with a boot sector or a file system", async () => {
    const bootable = Buffer.alloc(64 * 1024);
    bootable.writeUInt16LE(0xaa55, 510);
    const ext4 = Buffer.alloc(64 * 1024);
    ext4.writeUInt16LE(0xef53, 1080);
    await writeFile(join(root, "boot.raw"), bootable);
    await writeFile(join(root, "ext4.raw"), ext4);
    for (const name of ["plain.raw", "boot.raw", "ext4.raw"]) expect(await opened(name)).toEqual(["raw"]);
    expect(await opened("disk.qcow2")).toEqual(["qcow2"]);
  });
});

describe("what QEMU says when it does not start", () => {
  it.each([
    [
      'qemu-system-x86_64: -blockdev {"driver":"raw","file":{"filename":"/dev/fdset/5"}}: Could not open: Bad file',
      "Could not open: Bad file",
    ],
    ["qemu-system-x86_64: -device virtio-blk-pci,drive=disk0: no such drive", "no such drive"],
    [
      "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory",
      "cannot set up guest memory 'pc.ram': Cannot allocate memory",
    ],
    ["", ""],
  ])("is told without its own command line: %j", (said, told) => {
    expect(withoutArguments(said)).toBe(told);
  });
});
