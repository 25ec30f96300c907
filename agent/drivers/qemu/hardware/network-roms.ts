import { existsSync } from "node:fs";
import { join } from "node:path";
import { failedPrecondition } from "../../../../lib/errors.js";
import { violation } from "../options.js";
import { bootIndexOf } from "./boot-order.js";
import { modelOf } from "./nic-device.js";
import type { Asked } from "./part.js";

/** Where QEMU looks for programs of its devices (Debian's build). */
const directories = ["/usr/share/qemu", "/usr/lib/ipxe/qemu", "/usr/share/seabios"] as const;
/** The program of each model that boots from the network, as QEMU asks for it; those that are not here ask for the last. */
const roms: Readonly<Record<string, string>> = {
  ...{ virtio: "efi-virtio.rom", e1000: "efi-e1000.rom", e1000e: "efi-e1000e.rom", rtl8139: "efi-rtl8139.rom" },
  ...{ vmxnet3: "efi-vmxnet3.rom", pcnet: "efi-pcnet.rom" },
};
const intelRom = "pxe-eepro100.rom";

/** The file with which an interface of a model boots; undefined: there is none for it. */
export function romOf(model: string): string | undefined {
  return roms[model] ?? (model.startsWith("i82") ? intelRom : undefined);
}

/**
 * @param has whether QEMU finds a file.
 * @throws {ZorError} FAILED_PRECONDITION when the machine is to boot from an interface, and the host has not got what does that.
 */
export function assertCanBoot(asked: Asked, has: (rom: string) => boolean = hasRom): void {
  for (const [index, nic] of asked.spec.nics.entries()) {
    if (bootIndexOf(asked, "nic", index) === undefined) continue;
    const [model, { field }] = [modelOf(nic), violation(`nics[${index}]`, "")];
    const rom = romOf(model);
    if (rom === undefined) {
      throw failedPrecondition(
        "NIC_CANNOT_BOOT",
        field,
        `${field}: nothing boots from an interface of model ${model}; use "virtio" or "e1000"`,
      );
    }
    if (has(rom)) continue;
    throw failedPrecondition(
      "BOOT_ROM_MISSING",
      field,
      `${field}: the host has not got ${rom}, which boots from it; install it there with: apt-get install ipxe-qemu, or take it out of qemu.boot_order`,
    );
  }
}

function hasRom(rom: string): boolean {
  return directories.some((directory) => existsSync(join(directory, rom)));
}
