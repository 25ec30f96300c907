import type { ForeignDisk } from "../image-content.js";

/** Bytes of the beginning of a disk that {@link checkForeignHeader} needs. */
export const foreignHeaderBytes = 64 * 1024;

/**
 * Looks at the header of a disk in a foreign format before any tool opens it: what it says of other files is refused.
 * @returns why it is refused, which completes "the image …"; undefined: a tool may have it.
 */
export function checkForeignHeader(format: ForeignDisk, start: Buffer): string | undefined {
  if (start.length < 512) return "is truncated";
  switch (format) {
    case "vmdk":
      return checkVmdk(start);
    case "vdi":
      return checkVdi(start);
    case "vhdx":
      // Its parent, if any, is told in a region that may lie anywhere; QEMU opens no image that has one (block/vhdx.c).
      return undefined;
    case "vpc":
      return checkVpc(start);
  }
}

const sectorBytes = 512;
const maxDescriptorSectors = 64;
/** DESC_SIZE of QEMU's block/vmdk.c. */
const readSectors = 20;

/** Virtual Disk Format 5.0 (VMware): a sparse extent with its descriptor inside. */
function checkVmdk(start: Buffer): string | undefined {
  const version = start.readUInt32LE(4);
  if (version < 1 || version > 3) return `is a VMDK of the unknown version ${version}`;
  // Without a capacity QEMU takes the descriptor's extents for the data, which are other files.
  if (start.readBigUInt64LE(12) === 0n) return "is a VMDK whose data lie in other files";
  const offset = Number(start.readBigUInt64LE(28)) * sectorBytes;
  const sectors = Number(start.readBigUInt64LE(36));
  if (offset !== sectorBytes || sectors < 1 || sectors > maxDescriptorSectors) {
    return "is a VMDK without a descriptor at its usual place";
  }
  const end = start.indexOf(0, offset);
  const limit = Math.min(start.length, offset + sectors * sectorBytes);
  const text = start.toString("latin1", offset, end < 0 ? limit : Math.min(end, limit));
  const type = /^\s*createType\s*=\s*"([^"]*)"/m.exec(text)?.[1];
  if (type !== "monolithicSparse" && type !== "streamOptimized") {
    return `is a VMDK of type ${JSON.stringify((type ?? "").slice(0, 40))}; only monolithicSparse and streamOptimized have all in one file`;
  }
  // Also what stands behind a NUL, or behind the end that the header tells: QEMU looks for the words with strstr in 20 sectors, always.
  const whole = start.toString("latin1", offset, Math.max(limit, offset + readSectors * sectorBytes));
  const parents = [...whole.matchAll(/parentCID\s*=\s*([0-9a-fA-F]*)/g)];
  if (/parentFileNameHint/i.test(whole) || parents.some(([, id]) => id?.toLowerCase() !== "ffffffff")) {
    return "is a VMDK that is only the difference to another one; merge them first";
  }
  const extents = text.split(/\r?\n/).filter((line) => /^\s*(RW|RDONLY|NOACCESS)\s/.test(line));
  const [extent = ""] = extents;
  if (extents.length !== 1 || !/^\s*(RW|RDONLY)\s+\d+\s+SPARSE\s+"[^"/\\]*"\s*$/.test(extent)) {
    return "is a VMDK with other extents than one sparse one of its own";
  }
  return undefined;
}

/** As VirtualBox writes it (QEMU's block/vdi.c). */
function checkVdi(start: Buffer): string | undefined {
  const [version, type] = [start.readUInt32LE(0x44), start.readUInt32LE(0x4c)];
  if (version !== 0x00010001) return "is a VDI of an unknown version";
  if (type !== 1 && type !== 2) return "is a VDI that is only the difference to another one; merge them first";
  const parent = start.subarray(0x1a8, 0x1b8);
  return parent.every((byte) => byte === 0)
    ? undefined
    : "is a VDI that is only the difference to another one; merge them first";
}

/** Virtual Hard Disk Image Format Specification 1.0: type 2 is fixed, 3 dynamic, 4 differencing. */
function checkVpc(start: Buffer): string | undefined {
  // A fixed one has its footer at its end alone.
  if (start.toString("latin1", 0, 8) !== "conectix") return undefined;
  return start.readUInt32BE(60) === 4
    ? "is a VHD that is only the difference to another one; merge them first"
    : undefined;
}
