import type { FieldViolation } from "../../../../lib/errors.js";
import { isId, quote } from "../../../../lib/names.js";
import { listed } from "../../../../lib/words.js";
import type { Disk, DiskLimits } from "../../../../proto/gen/zor/v1/qemu.js";
import { violation } from "../options.js";
import { busOf, maxDevices, microvmPlaces } from "../placement.js";
import { cacheModes, cacheOf } from "./disk-nodes.js";
import type { Asked } from "./part.js";

/** QEMU and the file systems below it go further; a typing error should not. */
const maxDiskMib = 16n * 1024n * 1024n;
const maxLimit = 2n ** 40n;

/** The words that a field takes; an empty one is its default. */
const choices = {
  bus: ["virtio", "scsi", "sata", "ide", "nvme", "usb"],
  format: ["qcow2", "raw"],
  cache: Object.keys(cacheModes),
  io: ["threads", "native", "io_uring"],
  detectZeroes: ["off", "on", "unmap"],
} as const;
const fieldNames = { bus: "bus", format: "format", cache: "cache", io: "io", detectZeroes: "detect_zeroes" } as const;

/** What is wrong with the disks of a spec by themselves; pure. */
export function checkDisks({ options }: Pick<Asked, "options">): FieldViolation[] {
  const { disks, machine } = options;
  if (machine === "microvm" && disks.length > microvmPlaces.disks) {
    return [violation("qemu.machine", `a microvm has room for ${microvmPlaces.disks} disks; use "q35"`)];
  }
  if (disks.length > maxDevices.disks) {
    return [violation("qemu.disks", `${disks.length} are more than the ${maxDevices.disks} a machine can have`)];
  }
  return [
    ...disks.flatMap((disk, index) => checkDisk(disk, `qemu.disks[${index}]`)),
    ...checkNames(disks, "disk"),
    ...disks.flatMap(({ serial }, index) =>
      serial !== "" && disks.findIndex((disk) => disk.serial === serial) < index
        ? [violation(`qemu.disks[${index}].serial`, `${quote(serial)} is already used by another disk`)]
        : [],
    ),
  ];
}

/** Names are given by the agent; what an update names must be one of these, once. */
export function checkNames(list: readonly { readonly name: string }[], prefix: "disk" | "cdrom"): FieldViolation[] {
  return list.flatMap(({ name }, index) => {
    const field = `qemu.${prefix}s[${index}].name`;
    if (name === "") return [];
    if (!new RegExp(`^${prefix}\\d{1,3}$`).test(name)) {
      return [violation(field, `${quote(name)} is not a name such as "${prefix}0"; leave it empty for a new one`)];
    }
    const isFirst = list.findIndex((each) => each.name === name) === index;
    return isFirst ? [] : [violation(field, `${quote(name)} is there twice; leave it empty for a new one`)];
  });
}

function checkDisk(disk: Disk, path: string): FieldViolation[] {
  const wrongWords = Object.keys(choices).flatMap((key) => {
    const field = key as keyof typeof choices;
    const value = disk[field];
    if (value === "" || (choices[field] as readonly string[]).includes(value)) return [];
    const words = listed(
      choices[field].map((word) => `"${word}"`),
      undefined,
      "or",
    );
    return [violation(`${path}.${fieldNames[field]}`, `${quote(value)} is not known; it can be ${words}`)];
  });
  if (wrongWords.length > 0) return wrongWords;
  return [
    ...(disk.volume === "" ? checkSize(disk, path) : checkVolume(disk, path)),
    ...checkWays(disk, path),
    ...checkLimits(disk.limits, `${path}.limits`),
  ];
}

/** A volume is what it is; nothing of that is the machine's to say. */
function checkVolume({ volume, image, persistent, sizeMib, format }: Disk, path: string): FieldViolation[] {
  if (!isId(volume)) return [violation(`${path}.volume`, `${quote(volume)} is not the id of a volume such as "data"`)];
  const said = { image: image !== "", persistent, size_mib: sizeMib !== 0n, format: format !== "" };
  return Object.entries(said).flatMap(([field, isSaid]) =>
    isSaid ? [violation(`${path}.${field}`, `goes without saying: the disk is the volume ${quote(volume)}`)] : [],
  );
}

function checkSize({ image, sizeMib, readOnly }: Disk, path: string): FieldViolation[] {
  const field = `${path}.size_mib`;
  if (sizeMib < 0n || sizeMib > maxDiskMib) {
    return [violation(field, `${sizeMib} is not between 0 and ${maxDiskMib}`)];
  }
  if (image === "" && sizeMib === 0n)
    return [violation(`${path}.image`, "is empty; name an image, or say size_mib for an empty disk")];
  if (image !== "" && readOnly && sizeMib > 0n) {
    return [violation(field, "must be 0: a disk that is only read is as large as its image")];
  }
  return [];
}

function checkWays(disk: Disk, path: string): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const bus = busOf(disk);
  if (disk.io === "native" && !cacheOf(disk).direct) {
    violations.push(
      violation(`${path}.io`, 'native needs cache "none" or "directsync"; "io_uring" and "threads" go with all'),
    );
  }
  if (disk.detectZeroes === "unmap" && disk.discard === false) {
    violations.push(violation(`${path}.detect_zeroes`, 'unmap needs discard; use "on"'));
  }
  if (disk.readOnly && (bus === "sata" || bus === "ide")) {
    violations.push(
      violation(`${path}.read_only`, `disks on ${bus} can always be written to; use bus virtio, scsi, nvme or usb`),
    );
  }
  if (disk.iothread && bus !== "virtio") {
    violations.push(violation(`${path}.iothread`, `only disks on bus virtio have threads of their own, not on ${bus}`));
  }
  if (!/^([A-Za-z0-9][A-Za-z0-9._-]{0,19})?$/.test(disk.serial)) {
    violations.push(
      violation(
        `${path}.serial`,
        `${quote(disk.serial)} is not a serial number: use 1 to 20 letters, digits, ".", "-" and "_", beginning with a letter or digit`,
      ),
    );
  }
  return violations;
}

const kinds = [
  { both: "iops", one: ["readIops", "writeIops"], names: ["iops", "read_iops", "write_iops"] },
  {
    both: "bytesPerSecond",
    one: ["readBytesPerSecond", "writeBytesPerSecond"],
    names: ["bytes_per_second", "read_bytes_per_second", "write_bytes_per_second"],
  },
] as const;

/** What is wrong with bounds of a disk; pure. */
function checkLimits(limits: DiskLimits | undefined, path: string): FieldViolation[] {
  if (limits === undefined) return [];
  return kinds.flatMap(({ both, one, names }) => {
    const values = [limits[both], ...one.map((each) => limits[each])];
    const wrong = values.flatMap((value, index) =>
      value < 0n || value > maxLimit
        ? [violation(`${path}.${names[index] ?? ""}`, `${value} is not between 0 and ${maxLimit}`)]
        : [],
    );
    if (wrong.length > 0 || values[0] === 0n || values.slice(1).every((value) => value === 0n)) return wrong;
    return [
      violation(`${path}.${names[0]}`, `does not go with ${names[1]} or ${names[2]}: bound both together, or each`),
    ];
  });
}
