import type { FieldViolation } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { violation } from "../options.js";
import type { Asked } from "./part.js";

/** Something that a machine can boot from. */
export type BootDevice = "disk" | "cdrom" | "nic";

const maxEntries = 64;

/**
 * The place of a device in the order in which the firmware tries to boot; undefined: it is not tried; pure. A kernel that is booted directly has
 * the first place already.
 */
export function bootIndexOf(asked: Asked, device: BootDevice, index: number): number | undefined {
  if (asked.options.kernel !== "") return undefined;
  const place = toBootOrder(asked).indexOf(`${device}${index}`);
  return place === -1 ? undefined : place;
}

/** What is wrong with the order; pure. */
export function checkBootOrder(asked: Asked): FieldViolation[] {
  const { bootOrder, kernel } = asked.options;
  if (bootOrder.length === 0) return [];
  if (kernel !== "") return [violation("qemu.boot_order", "does not go with a kernel, which is booted first")];
  if (bootOrder.length > maxEntries)
    return [violation("qemu.boot_order", `${bootOrder.length} are more than ${maxEntries}`)];
  const counts = countsOf(asked);
  const seen = new Set<string>();
  return bootOrder.flatMap((entry, index): FieldViolation[] => {
    const field = `qemu.boot_order[${index}]`;
    const match = /^(disk|cdrom|nic)(?:(\d{1,2})|s)$/.exec(entry);
    if (match === null) {
      return [violation(field, `${quote(entry)} is none of "disks", "cdroms", "nics", "disk0", "cdrom0" and "nic0"`)];
    }
    const device = match[1] as BootDevice;
    const isThere = match[2] === undefined ? counts[device] > 0 : Number(match[2]) < counts[device];
    if (!isThere)
      return [violation(field, `the machine has no ${quote(entry)}: it has ${counts[device]} of that kind`)];
    if (seen.has(entry)) return [violation(field, `${quote(entry)} is there already`)];
    seen.add(entry);
    return [];
  });
}

function countsOf({ spec, options }: Asked): Readonly<Record<BootDevice, number>> {
  return { disk: options.disks.length, cdrom: options.cdroms.length, nic: spec.nics.length };
}

function toBootOrder(asked: Asked): readonly string[] {
  const { bootOrder } = asked.options;
  if (bootOrder.length === 0) return [asked.options.disks.length > 0 ? "disk0" : "cdrom0"];
  const counts = countsOf(asked);
  const all = (device: BootDevice) => Array.from({ length: counts[device] }, (_, index) => `${device}${index}`);
  const order = bootOrder.flatMap((entry) => {
    const device = (["disk", "cdrom", "nic"] as const).find((each) => `${each}s` === entry);
    return device === undefined ? [entry] : all(device);
  });
  return [...new Set(order)];
}
