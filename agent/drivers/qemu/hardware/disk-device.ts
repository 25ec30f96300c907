import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import { diskName } from "../ids.js";
import { busOf, controllerAddresses, type DiskBus, type MachineType, parseUnit } from "../placement.js";
import { type DeviceProperties, toDeviceWord, toPlaceProperties } from "./device.js";
import { cacheOf } from "./disk-nodes.js";

/** Where on a bus that is not PCI a disk or drive is, as properties of its device; pure. @throws {ZorError} when the address is damaged. */
export function toUnitProperties(
  bus: Exclude<DiskBus, "virtio" | "nvme">,
  address: string,
  machine: MachineType,
): Readonly<Record<string, string | number>> {
  const unit = parseUnit(bus, address);
  switch (bus) {
    case "scsi":
      return { bus: "scsi.0", channel: 0, "scsi-id": unit, lun: 0 };
    case "sata":
      // q35 calls the ports of its own controller so.
      return { bus: machine === "pc" ? `sata.${unit}` : `ide.${unit}`, unit: 0 };
    case "ide":
      return { bus: `ide.${Math.floor(unit / 2)}`, unit: unit % 2 };
    case "usb":
      return { bus: "usb.0", port: String(unit) };
  }
}

/** What else decides the device of a disk. */
export interface DiskDeviceOptions {
  readonly index: number;
  readonly machine: MachineType;
  /** Place in the order in which the firmware looks for something to boot; undefined: it does not look here. */
  readonly bootIndex: number | undefined;
}

/** The device of a disk; pure. @throws {ZorError} when its address is damaged. */
export function toDiskDevice(disk: Disk, { index, machine, bootIndex }: DiskDeviceOptions): DeviceProperties {
  const bus = busOf(disk);
  const id = diskName(disk, index);
  const common = {
    drive: id,
    serial: disk.serial === "" ? id : disk.serial,
    ...(bootIndex === undefined ? {} : { bootindex: bootIndex }),
    // What is written is on the disk when the guest is told so.
    ...(cacheOf(disk).writeCache ? {} : { "write-cache": "off" }),
  };
  switch (bus) {
    case "virtio": {
      const place = toPlaceProperties(disk.deviceAddress, machine);
      const driver = machine === "microvm" ? "virtio-blk-device" : "virtio-blk-pci";
      return { driver, id, ...common, ...(disk.iothread ? { iothread: iothreadId(id) } : {}), ...place };
    }
    case "nvme":
      return { driver: "nvme", id, ...common, ...toPlaceProperties(disk.deviceAddress, machine) };
    case "scsi":
      return { driver: "scsi-hd", id, ...common, ...toUnitProperties(bus, disk.deviceAddress, machine) };
    case "sata":
    case "ide":
      return { driver: "ide-hd", id, ...common, ...toUnitProperties(bus, disk.deviceAddress, machine) };
    case "usb":
      return { driver: "usb-storage", id, ...common, ...toUnitProperties(bus, disk.deviceAddress, machine) };
  }
}

/** Id of the thread of a disk that has one of its own. */
export const iothreadId = (id: string): string => `io-${id}`;

/** Controllers of the buses that a machine does not have by itself; pure. */
export function toControllers(buses: ReadonlySet<string>, machine: MachineType): string[] {
  const words: DeviceProperties[] = [];
  const place = (address: string) => toPlaceProperties(address, machine);
  if (buses.has("scsi")) words.push({ driver: "virtio-scsi-pci", id: "scsi", ...place(controllerAddresses.scsi) });
  if (buses.has("sata") && machine === "pc") {
    words.push({ driver: "ich9-ahci", id: "sata", ...place(controllerAddresses.sata) });
  }
  return words.flatMap((each) => ["-device", toDeviceWord(each)]);
}
