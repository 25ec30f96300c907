import type { FileHandle } from "node:fs/promises";
import { invalidFields } from "../../../lib/errors.js";

/** Start of a kernel, as far as it is looked at: more than the header of the Linux boot protocol, and where a multiboot header may be. */
const headerBytes = 8192;
const bytesPerMib = 1024 * 1024;
const elfMachines = new Map([
  [3, "i386"],
  [40, "arm"],
  [62, "x86-64"],
  [183, "arm64"],
  [243, "riscv"],
]);

/** What the start of a kernel file tells. */
export type KernelHeader =
  /** Linux: from `loadAddress` on it needs so many bytes before it can even unpack itself. */
  | { readonly type: "linux"; readonly loadAddress: number; readonly initBytes: number }
  /** Something else that QEMU may boot; what it needs is not known. */
  | { readonly type: "other" }
  /** Nothing that QEMU boots. */
  | { readonly type: "none"; readonly why: string };

/**
 * Reads the header of a kernel (Linux Documentation/arch/x86/boot.rst; ELF; multiboot); pure.
 * @param start the first 8 KiB of the file, or all of it.
 */
export function parseKernelHeader(start: Buffer): KernelHeader {
  if (start.length >= 0x264 && start.toString("latin1", 0x202, 0x206) === "HdrS") {
    // Before 2.10 kernels did not tell.
    if (start.readUInt16LE(0x206) < 0x20a) return { type: "other" };
    return { type: "linux", loadAddress: Number(start.readBigUInt64LE(0x258)), initBytes: start.readUInt32LE(0x260) };
  }
  if (start.length >= 0x40 && start.toString("latin1", 0x38, 0x3c) === "ARMd") {
    return { type: "none", why: "is a kernel for arm64; machines here are x86-64" };
  }
  if (start.length >= 20 && start.readUInt32BE(0) === 0x7f454c46) {
    const machine = start.readUInt16LE(18);
    if (machine === 3 || machine === 62) return { type: "other" };
    return {
      type: "none",
      why: `is a program for ${elfMachines.get(machine) ?? "another processor"}, not a kernel for x86-64`,
    };
  }
  for (let at = 0; at + 4 <= start.length; at += 4) if (start.readUInt32LE(at) === 0x1badb002) return { type: "other" };
  return { type: "none", why: "is not a kernel: it has neither a Linux, an ELF nor a multiboot header" };
}

/**
 * The least memory in MiB with which a Linux kernel gets as far as its first program; pure. It unpacks itself behind its load address, while the
 * initial ram disk stays where it was loaded; one that is not compressed takes its size a second time when it is unpacked.
 */
export function leastMemoryMib(
  kernel: Extract<KernelHeader, { type: "linux" }>,
  initrd: { readonly bytes: number; readonly isCompressed: boolean } | undefined,
): number {
  const initrdBytes = initrd === undefined ? 0 : initrd.bytes * (initrd.isCompressed ? 1 : 2);
  return Math.ceil((kernel.loadAddress + kernel.initBytes + initrdBytes) / bytesPerMib);
}

/** A file that is open: what is looked at is what is booted. */
interface OpenFile {
  readonly file: FileHandle;
}

/** @throws {ZorError} INVALID_ARGUMENT when these files certainly cannot boot with so much memory. */
export async function assertBootable(
  files: { readonly kernel: OpenFile; readonly initrd: OpenFile | undefined },
  memoryMib: number,
): Promise<void> {
  const kernel = parseKernelHeader((await readStart(files.kernel.file)).start);
  if (kernel.type === "none") throw invalidFields([{ field: "instance.spec.qemu.kernel", description: kernel.why }]);
  if (kernel.type === "other") return;
  const least = leastMemoryMib(kernel, files.initrd === undefined ? undefined : await readInitrd(files.initrd.file));
  if (memoryMib >= least) return;
  const description = `${memoryMib} MiB are too little to boot this kernel with its initial ram disk; it takes at least ${least} MiB`;
  throw invalidFields([{ field: "instance.spec.memory_mib", description }]);
}

async function readInitrd(file: FileHandle): Promise<{ bytes: number; isCompressed: boolean }> {
  const { start, bytes } = await readStart(file);
  // "newc" of cpio, the only form that the kernel takes as it is.
  return { bytes, isCompressed: !/^07070[12]/.test(start.toString("latin1", 0, 6)) };
}

async function readStart(file: FileHandle): Promise<{ start: Buffer; bytes: number }> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
  return { start: buffer.subarray(0, bytesRead), bytes: (await file.stat()).size };
}
