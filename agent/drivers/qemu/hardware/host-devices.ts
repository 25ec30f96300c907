import { chown, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { failedPrecondition, type FieldViolation, permissionDenied } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { violation } from "../options.js";
import { pciSlots, toPci } from "../placement.js";
import { toPciDevice } from "./device.js";
import type { Asked, HardwarePart, Launch } from "./part.js";

const maxDevices = 8;
const addressPattern = /^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/;

/** PCI devices of the host that the guest has to itself. */
export const hostDevices: HardwarePart<readonly string[]> = {
  check,
  admit: async ({ options }, { policy }) => assertAllowed(options.hostDevices, policy.pciDevices),
  open: async (launch) => {
    const { hostDevices: asked } = launch.options;
    if (asked.length === 0) return undefined;
    // The setting may have been narrowed since the machine was made.
    assertAllowed(asked, launch.policy.pciDevices);
    for (const address of asked) await handOver(address, launch);
    return asked;
  },
  toArguments: (addresses) => ({
    argv: addresses.flatMap((address, index) => {
      const place = toPci(pciSlots.hostDevices, index);
      return ["-device", toPciDevice("vfio-pci", `id=host${index},host=${address}`, place)];
    }),
  }),
};

function check({ options: { hostDevices: asked, machine, architecture } }: Asked): FieldViolation[] {
  if (asked.length === 0) return [];
  if (machine === "microvm" || architecture === "aarch64") {
    return [violation("qemu.host_devices", 'need a machine of type "q35" or "pc"')];
  }
  if (asked.length > maxDevices) return [violation("qemu.host_devices", `${asked.length} are more than ${maxDevices}`)];
  return asked.flatMap((address, index): FieldViolation[] => {
    const field = `qemu.host_devices[${index}]`;
    if (!addressPattern.test(address))
      return [violation(field, `${quote(address)} is not a PCI address: "0000:3b:00.0"`)];
    return asked.indexOf(address) === index ? [] : [violation(field, `${address} is there already`)];
  });
}

function assertAllowed(asked: readonly string[], allowed: readonly string[]): void {
  const refused = asked.find((address) => !allowed.includes(address));
  if (refused === undefined) return;
  throw permissionDenied(
    `instance.spec.qemu.host_devices: ${refused} may not be given to machines; allow it with pciDevices in the agent's settings`,
  );
}

/** Lets QEMU's user open the device. VFIO knows groups of devices that cannot be told apart. */
async function handOver(address: string, { user, resource }: Launch): Promise<void> {
  const device = `/sys/bus/pci/devices/${address}`;
  const driver = basename(await readlink(`${device}/driver`).catch(() => ""));
  if (driver !== "vfio-pci") {
    const found =
      driver === "" ? "there is no such device, or it has no driver" : `it is in use by the driver ${driver}`;
    throw failedPrecondition(
      "HOST_DEVICE_UNAVAILABLE",
      resource,
      `${resource}: the host's device ${address} cannot be given to it: ${found}; bind it to vfio-pci on the host`,
    );
  }
  const group = basename(await readlink(`${device}/iommu_group`).catch(() => ""));
  await chown(`/dev/vfio/${group}`, user, user).catch((cause: unknown) => {
    throw failedPrecondition(
      "HOST_DEVICE_UNAVAILABLE",
      resource,
      `${resource}: the host's device ${address} is in no group of an IOMMU (${String(cause)}); switch the IOMMU on in firmware and kernel`,
    );
  });
}
