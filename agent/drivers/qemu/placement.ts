import { failedPrecondition, resourceExhausted, type ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";

/** Machine types of QEMU that the driver knows. */
export type MachineType = "q35" | "pc" | "microvm" | "virt";

/** A place on a machine's first PCI bus, or behind a bridge on it. */
export interface PciAddress {
  readonly type: "pci";
  readonly slot: number;
  readonly func: number;
  /** The bridge on the first bus that it is behind. */
  readonly bridge?: { readonly slot: number; readonly func: number };
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
 * the bridges of both machine types, 1f that of q35; 5 to 7 hold controllers of buses,
 * 1d shared directories, and 1e what is added while a machine runs. The first devices of a kind get a slot
 * each, later ones the next function of the same slots: the first are always there, which makes the others visible. Interfaces fill one slot
 * after the other, so that guests, which look in the order of slots and functions, find them in the order of the spec.
 */
const pciPlaces = { nics: { slot: 0x08, slots: 8 }, disks: { slot: 0x10, slots: 8 } } as const;

/**
 * Slots of devices that a machine has one of, when it is asked for. Agents up to 0.1 put devices one after the other from slot 2 on; they
 * never got as far as 18. The host's own devices that are passed through come at slot 3.
 */
export const pciSlots = {
  hostDevices: 3,
  balloon: 0x18,
  watchdog: 0x19,
  display: 0x1a,
  seed: 0x1b,
  configDisk: 0x1c,
  shares: 0x1d,
} as const;

/** Interfaces that a slot has: with all slots, one more than a machine can have. */
const nicsOfSlot = 4;

type Kind = keyof typeof pciPlaces;
/** Most devices of a kind that take a place of PCI. */
export const maxDevices = { nics: 31, disks: 16 } as const;
/** How places on other buses are written. */
const unitPrefix = { scsi: "scsi.0:", sata: "sata.", ide: "ide.", usb: "usb." } as const;

/** Where the controllers of buses are; a machine has those that it needs. They are the same in all machines. */
export const controllerAddresses = {
  scsi: "0000:00:05.0",
  usb: "0000:00:06.0",
  /** Of pc, which has none of its own. */
  sata: "0000:00:07.0",
} as const;
/** Where what is added to a running machine goes: a port each on q35, the places of one bridge on pc. */
const hotplugSlot = 0x1e;
/** Most devices that can be added to a running machine. */
export const maxHotplugPorts = 8;
const defaultHotplugPorts = 4;

/** Buses of disks and drives. */
export type DiskBus = "virtio" | "scsi" | "sata" | "ide" | "nvme" | "usb";

/** Devices that a bus takes. Ports of USB beyond these are for pointer, keyboard and devices of the host. */
export const busPlaces = { scsi: 32, sata: 6, ide: 4, usb: 8 } as const;
/** Ports of an xhci behind those of disks, pointer and keyboard: devices of the host from the first on, those of viewers from the last down. */
export const usbPorts = { firstOfHost: 11, last: 15 } as const;

/** Where the devices are that every machine has. No record: they are the same in all machines. */
export function fixedAddresses(machine: MachineType): { readonly serial: string; readonly rng: string | undefined } {
  if (machine === "microvm") return { serial: toMmio(microvmBuses - 1), rng: undefined };
  return { serial: toPci(2, 0), rng: toPci(2, 1) };
}

/** The machine type of a spec. */
export function machineTypeOf({ machine, architecture }: Pick<QemuOptions, "machine" | "architecture">): MachineType {
  if (architecture === "aarch64") return "virt";
  if (machine === "microvm") return machine;
  return machine === "pc" || machine.startsWith("pc-i440fx-") ? "pc" : "q35";
}

/** Reads a recorded address. @throws {ZorError} FAILED_PRECONDITION when it is none. */
export function parseAddress(text: string): PciAddress | MmioAddress {
  const pci = /^0000:00:([01][0-9a-f])\.([0-7])$/.exec(text);
  if (pci !== null) return { type: "pci", slot: Number.parseInt(pci[1] ?? "", 16), func: Number(pci[2]) };
  const behind = /^0000:00:([01][0-9a-f])\.([0-7])\/([01][0-9a-f])\.0$/.exec(text);
  if (behind !== null) {
    const [slot, bridge] = [behind[3] ?? "", behind[1] ?? ""].map((hex) => Number.parseInt(hex, 16));
    return { type: "pci", slot: slot ?? 0, func: 0, bridge: { slot: bridge ?? 0, func: Number(behind[2]) } };
  }
  const mmio = /^virtio-mmio-bus\.(\d{1,2})$/.exec(text);
  if (mmio !== null && Number(mmio[1]) < microvmBuses) return { type: "mmio", bus: Number(mmio[1]) };
  throw damagedAddress(text);
}

function damagedAddress(text: string): ZorError {
  return failedPrecondition(
    "DEVICE_ADDRESS_DAMAGED",
    "",
    `the recorded address ${quote(text)} of a device is damaged; delete the instance and create it anew`,
  );
}

/** A device on a bus of its kind: "scsi.0:2", "sata.1", "ide.0", "usb.3". @throws {ZorError} FAILED_PRECONDITION when it is none. */
export function parseUnit(bus: keyof typeof busPlaces, text: string): number {
  const unit = text.startsWith(unitPrefix[bus]) ? text.slice(unitPrefix[bus].length) : "";
  if (/^\d{1,2}$/.test(unit)) return Number(unit);
  throw damagedAddress(text);
}

/** How QEMU calls the bridge that a device added later is behind. */
export function hotplugBus(machine: MachineType, { bridge }: PciAddress): string | undefined {
  if (bridge === undefined) return undefined;
  return machine === "pc" ? hotplugBridge : hotplugPort(bridge.func);
}
/** Id of the bridge of pc behind which devices are added. */
export const hotplugBridge = "hot";
/** Id of a port of q35 at which a device is added. */
export const hotplugPort = (index: number): string => `hot${index}`;

/** Address of the bridge of pc, or of a port of q35, for devices added later. */
export function hotplugBridgeAddress(machine: MachineType, index: number): string {
  return machine === "pc" ? toPci(hotplugSlot, 0) : toPci(hotplugSlot, index);
}

/** The bus of a disk as its machine has it. */
export function busOf({ bus }: { readonly bus: string }): DiskBus {
  return bus === "" ? "virtio" : (bus as DiskBus);
}

/** The bus of a drive as its machine has it. */
export function driveBusOf(
  { bus }: { readonly bus: string },
  machine: MachineType,
): Exclude<DiskBus, "virtio" | "nvme"> {
  if (bus !== "") return bus as "scsi" | "sata" | "ide" | "usb";
  return machine === "pc" ? "ide" : "sata";
}

/** How many devices can be added while the machine runs. */
export function hotplugPortsOf({ hotplugPorts }: Pick<QemuOptions, "hotplugPorts">): number {
  return hotplugPorts ?? 0;
}

/** How places are given, see {@link placeDevices}. */
export interface PlacingOptions {
  readonly isNew: boolean;
  /** It runs: what is new goes where devices can be added. Default: no. */
  readonly isLive?: boolean;
}

/**
 * Gives interfaces, disks and drives their addresses, and disks and drives their names; pure. The same object when there is nothing to give.
 * @param options.isNew true: all of them, whatever the spec says. false: those that have none; a spec without any is of an agent that
 * recorded none (nor ports), and its devices are where that agent put them.
 * @throws {ZorError} RESOURCE_EXHAUSTED when a bus is full, or a running machine has no place left.
 */
export function placeDevices(spec: InstanceSpec, { isNew, isLive = false }: PlacingOptions): InstanceSpec {
  if (spec.driver?.$case !== "qemu") return spec;
  const { value } = spec.driver;
  const devices = [...spec.nics, ...value.disks, ...value.cdroms];
  const named = [...value.disks, ...value.cdroms];
  const isWhole = devices.every(({ deviceAddress }) => deviceAddress !== "") && named.every(({ name }) => name !== "");
  if (!isNew && isWhole) return spec;
  const machine = machineTypeOf(value);
  // Agents that record addresses record the ports too, also of a machine that has no device yet.
  const isUnrecorded =
    !isNew && value.hotplugPorts === undefined && devices.every(({ deviceAddress }) => deviceAddress === "");
  const free = new FreePlaces(isNew ? [] : devices.map(({ deviceAddress }) => deviceAddress));
  const hotplug = toHotplugPlaces(machine, hotplugPortsOf(value));
  const fill = <T extends { readonly deviceAddress: string }>(list: readonly T[], places: (each: T) => Places): T[] => {
    let before = "";
    return list.map((each) => {
      const isPlaced = !isNew && each.deviceAddress !== "";
      const { what, all, isPci } = places(each);
      const deviceAddress = isPlaced
        ? each.deviceAddress
        : free.take({ what, places: isLive && isPci ? hotplug : all, before });
      before = deviceAddress;
      return isPlaced ? each : { ...each, deviceAddress };
    });
  };
  const unrecorded = (kind: Kind) => (each: { readonly deviceAddress: string }, index: number) => ({
    ...each,
    deviceAddress: toUnrecorded(machine, kind, index, value.disks.length),
  });
  const nics = isUnrecorded
    ? spec.nics.map((nic, index) => ({ ...nic, ...unrecorded("nics")(nic, index) }))
    : fill(spec.nics, () => ({ what: "interfaces", all: toPlaces(machine, "nics"), isPci: true }));
  const disks = isUnrecorded
    ? value.disks.map((disk, index) => ({ ...disk, ...unrecorded("disks")(disk, index) }))
    : fill(value.disks, (disk) => toDiskPlaces(machine, busOf(disk)));
  const cdroms = fill(value.cdroms, (drive) => toDiskPlaces(machine, driveBusOf(drive, machine)));
  const hotplugPorts = isNew
    ? (value.hotplugPorts ?? (machine === "microvm" ? 0 : defaultHotplugPorts))
    : value.hotplugPorts;
  return {
    ...spec,
    nics,
    driver: {
      $case: "qemu",
      value: { ...value, disks: nameAll("disk", disks), cdroms: nameAll("cdrom", cdroms), hotplugPorts },
    },
  };
}

/** Gives a name to what has none: "disk0", by its place unless another has it. */
function nameAll<T extends { readonly name: string }>(prefix: string, list: readonly T[]): T[] {
  const taken = new Set(list.map(({ name }) => name));
  return list.map((each, index) => {
    if (each.name !== "") return each;
    let number = index;
    while (taken.has(`${prefix}${number}`)) number += 1;
    const name = `${prefix}${number}`;
    taken.add(name);
    return { ...each, name };
  });
}

interface Places {
  /** What takes them, for people. */
  readonly what: string;
  readonly all: readonly string[];
  readonly isPci: boolean;
}

/** Hands out places, the first one that nothing has; behind the device before it in the list, while there is one. */
class FreePlaces {
  readonly #taken: Set<string>;

  constructor(taken: readonly string[]) {
    this.#taken = new Set(taken);
  }

  take({ what, places, before }: { what: string; places: readonly string[]; before: string }): string {
    const behind = places.slice(places.indexOf(before) + 1);
    const place = [...behind, ...places].find((each) => !this.#taken.has(each));
    if (place === undefined) throw full(what, places.length);
    this.#taken.add(place);
    return place;
  }
}

function full(what: string, count: number): ZorError {
  const remedy =
    "take something away, or stop it: a stopped machine can be given more, and hotplug_ports says how many a running one can";
  return resourceExhausted("NO_DEVICE_PLACE", `the machine's ${count} places for ${what} are taken; ${remedy}`, "");
}

function toDiskPlaces(machine: MachineType, bus: DiskBus): Places {
  if (bus === "virtio" || bus === "nvme") return { what: "disks", all: toPlaces(machine, "disks"), isPci: true };
  const count = busPlaces[bus];
  // Ports of USB are counted from 1.
  const all = Array.from({ length: count }, (_, index) => `${unitPrefix[bus]}${bus === "usb" ? index + 1 : index}`);
  return { what: `devices on bus ${bus}`, all, isPci: false };
}

function toPlaces(machine: MachineType, kind: Kind): readonly string[] {
  const length = machine === "microvm" ? microvmPlaces[kind] : maxDevices[kind];
  return Array.from({ length }, (_, index) => toPlace(machine, kind, index));
}

function toHotplugPlaces(machine: MachineType, count: number): readonly string[] {
  if (machine === "microvm") return [];
  // Places are given before the spec is checked: as many as anybody asks for would fill the memory.
  return Array.from({ length: Math.min(count, maxHotplugPorts) }, (_, index) => {
    const bridge = hotplugBridgeAddress(machine, index);
    // The first place of a bridge of PCI is for its own hot-plug controller.
    return machine === "pc" ? `${bridge}/${(index + 1).toString(16).padStart(2, "0")}.0` : `${bridge}/00.0`;
  });
}

function toPlace(machine: MachineType, kind: Kind, index: number): string {
  if (machine === "microvm") {
    const first = microvmBuses - 2;
    return toMmio(kind === "nics" ? first - index : first - microvmPlaces.nics - index);
  }
  const { slot, slots } = pciPlaces[kind];
  if (kind === "nics") return toPci(slot + Math.floor(index / nicsOfSlot), index % nicsOfSlot);
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

/** The address of a function of a slot. */
export function toPci(slot: number, func = 0): string {
  return `0000:00:${slot.toString(16).padStart(2, "0")}.${func}`;
}

function toMmio(bus: number): string {
  return `virtio-mmio-bus.${bus}`;
}

/**
 * Slots in which there are devices and no function 0, because it was taken away; pure. A guest looks for the others only where there is one.
 * @param addresses as recorded.
 */
export function findHeadlessSlots(addresses: readonly string[]): readonly number[] {
  const places = addresses.map(parseAddress).flatMap((each) => (each.type === "pci" && !each.bridge ? [each] : []));
  const withHead = new Set(places.filter(({ func }) => func === 0).map(({ slot }) => slot));
  // Those before are of other devices too: agents up to 0.1 put all that there was one after the other.
  const slots = new Set(places.map(({ slot }) => slot).filter((slot) => slot >= pciPlaces.nics.slot));
  return [...slots].filter((slot) => !withHead.has(slot));
}

/** Whether a place on the first bus has the slot to itself: on pc, what is taken away from a slot takes the whole slot with it; pure. */
export function isAloneInSlot(address: string, others: readonly string[]): boolean {
  const slot = address.replace(/\.[0-7]$/, "");
  return others.every((other) => other === address || other.replace(/\.[0-7]$/, "") !== slot);
}
