import { failedPrecondition } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";

/** Machine types of QEMU that the driver knows. */
export type MachineType = "q35" | "pc" | "microvm";

/** A place on a machine's first PCI bus. */
export interface PciAddress {
  readonly type: "pci";
  readonly slot: number;
  readonly func: number;
}

/** A bus of a microvm; each takes one device. */
interface MmioAddress {
  readonly type: "mmio";
  readonly bus: number;
}

/**
 * Most devices of a microvm. With ACPI, its default, it has 24 buses (QEMU hw/i386/microvm.c), which Linux finds from the last to the first.
 * The last is for the guest agent's port, the rest is shared out so that neither kind ever moves the other. The interrupts of bus 0 do
 * not reach a guest of QEMU 7.2: it stays empty.
 */
export const microvmPlaces = { nics: 15, disks: 7 } as const;
const microvmBuses = 24;

/**
 * Places on the PCI bus. Every kind of device has slots of its own, so that one more of a kind moves nothing else. 0 and 1 hold
 * the bridges of both machine types, 1f that of q35; 5 to 7, 1d and 1e are left for kinds to come. The first devices of a kind get a slot
 * each, later ones the next function of the same slots: the first are always there, which makes the others visible.
 */
const pciPlaces = { nics: { slot: 0x08, slots: 8 }, disks: { slot: 0x10, slots: 8 } } as const;

type Kind = keyof typeof pciPlaces;

/** Where the devices are that every machine has. No record: they are the same in all machines. */
export function fixedAddresses(machine: MachineType): { readonly serial: string; readonly rng: string | undefined } {
  if (machine === "microvm") return { serial: toMmio(microvmBuses - 1), rng: undefined };
  return { serial: toPci(2, 0), rng: toPci(2, 1) };
}

/** The machine type of a spec. */
export function machineTypeOf({ machine }: Pick<QemuOptions, "machine">): MachineType {
  return machine === "microvm" || machine === "pc" ? machine : "q35";
}

/** Reads a recorded address. @throws {ZorError} FAILED_PRECONDITION when it is none. */
export function parseAddress(text: string): PciAddress | MmioAddress {
  const pci = /^0000:00:([01][0-9a-f])\.([0-7])$/.exec(text);
  if (pci !== null) return { type: "pci", slot: Number.parseInt(pci[1] ?? "", 16), func: Number(pci[2]) };
  const mmio = /^virtio-mmio-bus\.(\d{1,2})$/.exec(text);
  if (mmio !== null && Number(mmio[1]) < microvmBuses) return { type: "mmio", bus: Number(mmio[1]) };
  throw failedPrecondition(
    "DEVICE_ADDRESS_DAMAGED",
    "",
    `the recorded address ${quote(text)} of a device is damaged; delete the instance and create it anew`,
  );
}

/**
 * Gives interfaces and disks their addresses; pure. The same object when there is nothing to give.
 * @param options.isNew true: all of them, whatever the spec says. false: those that have none; a spec without any is of an agent that
 * recorded none, and its devices are where that agent put them.
 */
export function placeDevices(spec: InstanceSpec, { isNew }: { readonly isNew: boolean }): InstanceSpec {
  if (spec.driver?.$case !== "qemu") return spec;
  const { value } = spec.driver;
  const devices = [...spec.nics, ...value.disks];
  if (!isNew && devices.every(({ deviceAddress }) => deviceAddress !== "")) return spec;
  const machine = machineTypeOf(value);
  const isUnrecorded = !isNew && devices.every(({ deviceAddress }) => deviceAddress === "");
  const place = isUnrecorded
    ? (kind: Kind, index: number) => toUnrecorded(machine, kind, index, value.disks.length)
    : (kind: Kind, index: number) => toPlace(machine, kind, index);
  const fill = <T extends { readonly deviceAddress: string }>(kind: Kind, list: readonly T[]): T[] =>
    list.map((each, index) =>
      isNew || each.deviceAddress === "" ? { ...each, deviceAddress: place(kind, index) } : each,
    );
  return {
    ...spec,
    nics: fill("nics", spec.nics),
    driver: { $case: "qemu", value: { ...value, disks: fill("disks", value.disks) } },
  };
}

function toPlace(machine: MachineType, kind: Kind, index: number): string {
  if (machine === "microvm") {
    const first = microvmBuses - 2;
    return toMmio(kind === "nics" ? first - index : first - microvmPlaces.nics - index);
  }
  const { slot, slots } = pciPlaces[kind];
  return toPci(slot + (index % slots), Math.floor(index / slots));
}

/**
 * Where agents up to 0.1 put devices: one after the other, the guest agent's port first, the random number generator of a q35 second,
 * then disks, then interfaces; on PCI from slot 2 on, eight to a slot; on a microvm from QEMU's last bus down.
 */
function toUnrecorded(machine: MachineType, kind: Kind, index: number, disks: number): string {
  const position = kind === "disks" ? index : disks + index;
  if (machine === "microvm") return toMmio(microvmBuses - 2 - position);
  const place = 2 + position;
  return toPci(2 + Math.floor(place / 8), place % 8);
}

function toPci(slot: number, func: number): string {
  return `0000:00:${slot.toString(16).padStart(2, "0")}.${func}`;
}

function toMmio(bus: number): string {
  return `virtio-mmio-bus.${bus}`;
}
