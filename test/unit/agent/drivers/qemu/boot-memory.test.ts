import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  assertBootable as assertOpenBootable,
  leastMemoryMib,
  parseKernelHeader,
} from "../../../../../agent/drivers/qemu/boot-memory.js";

function linux(version = 0x20f): Buffer {
  const header = Buffer.alloc(1024);
  header.write("HdrS", 0x202, "latin1");
  header.writeUInt16LE(version, 0x206);
  header.writeBigUInt64LE(0x1000000n, 0x258);
  header.writeUInt32LE(50 * 1024 * 1024, 0x260);
  return header;
}

function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x7f454c46, 0);
  header.writeUInt16LE(machine, 18);
  return header;
}

const arm64 = Buffer.alloc(64);
arm64.write("ARMd", 0x38, "latin1");
const multiboot = Buffer.alloc(4096);
multiboot.writeUInt32LE(0x1badb002, 1024);

describe("the header of a kernel", () => {
  it.each<[string, Buffer, object]>([
    ["Linux", linux(), { type: "linux", loadAddress: 0x1000000, initBytes: 50 * 1024 * 1024 }],
    ["an old Linux", linux(0x209), { type: "other" }],
    ["x86-64 ELF", elf(62), { type: "other" }],
    ["multiboot", multiboot, { type: "other" }],
    ["Linux for arm64", arm64, { type: "none", why: expect.stringContaining("arm64") }],
    ["ELF for arm64", elf(183), { type: "none", why: expect.stringContaining("arm64") }],
    ["text", Buffer.from("#!/bin/sh\n".repeat(500)), { type: "none", why: expect.stringContaining("is not a kernel") }],
    ["nothing", Buffer.alloc(0), { type: "none", why: expect.stringContaining("is not a kernel") }],
  ])("of %s is recognised", (_what, start, expected) => {
    expect(parseKernelHeader(start)).toEqual(expected);
  });
});

describe("the least memory of a kernel", () => {
  const kernel = { type: "linux", loadAddress: 16 * 2 ** 20, initBytes: 50 * 2 ** 20 } as const;
  it.each([
    [undefined, 66],
    [{ bytes: 10 * 2 ** 20, isCompressed: true }, 76],
    [{ bytes: 10 * 2 ** 20 + 1, isCompressed: false }, 87],
  ])("with the initial ram disk %j is %i MiB", (initrd, expected) => {
    expect(leastMemoryMib(kernel, initrd)).toBe(expected);
  });
});

describe("files to boot", () => {
  let directory: string;
  let files: { kernel: string; initrd: string };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "zt-boot-"));
    files = { kernel: join(directory, "vmlinuz"), initrd: join(directory, "initrd.img") };
    await writeFile(files.kernel, linux());
    await writeFile(files.initrd, "070701");
    await truncate(files.initrd, 10 * 2 ** 20);
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function assertBootable(paths: { kernel: string; initrd: string | undefined }, memoryMib: number) {
    await using kernel = await open(paths.kernel);
    await using initrd = paths.initrd === undefined ? undefined : await open(paths.initrd);
    await assertOpenBootable(
      { kernel: { file: kernel }, initrd: initrd === undefined ? undefined : { file: initrd } },
      memoryMib,
    );
  }

  it("are refused with too little memory, with the least that will do", async () => {
    await expect(assertBootable(files, 85)).rejects.toMatchObject({
      violations: [{ field: "instance.spec.memory_mib", description: expect.stringContaining("at least 86 MiB") }],
    });
    await expect(assertBootable(files, 86)).resolves.toBeUndefined();
    await expect(assertBootable({ ...files, initrd: undefined }, 66)).resolves.toBeUndefined();
  });

  it("are refused when the kernel is none", async () => {
    await expect(assertBootable({ kernel: files.initrd, initrd: undefined }, 4096)).rejects.toMatchObject({
      violations: [{ field: "instance.spec.qemu.kernel" }],
    });
  });
});
