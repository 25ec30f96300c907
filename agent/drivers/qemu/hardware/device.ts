import { findHeadlessSlots, hotplugBus, type MachineType, type PciAddress, parseAddress, toPci } from "../placement.js";

/** A device with its properties, as -device takes it in JSON and QMP's device_add as arguments. */
export type DeviceProperties = Readonly<Record<string, string | number | boolean>> & { readonly driver: string };

/** A virtio device at its address, as the value of -device; pure. @throws {ZorError} when the recorded address is damaged. */
export function toVirtioDevice(device: string, properties: string, address: string): string {
  const place = parseAddress(address);
  if (place.type === "mmio") return `${device}-device,${properties},bus=${address}`;
  return `${device}-pci,${properties},${toPciProperty(place)}`;
}

/** Where a device is, as properties of it: a bus and an address on it; pure. @throws {ZorError} when the recorded address is damaged. */
export function toPlaceProperties(address: string, machine: MachineType): Readonly<Record<string, string | boolean>> {
  const place = parseAddress(address);
  if (place.type === "mmio") return { bus: address };
  const bus = hotplugBus(machine, place);
  const addr = `${place.slot.toString(16)}.${place.func}`;
  if (bus !== undefined) return { bus, addr };
  return place.func === 0 ? { addr, multifunction: true } : { addr };
}

/** A device as one word of -device; pure. Values hold no comma: all of them are checked or ours. */
export function toDeviceWord({ driver, ...properties }: DeviceProperties): string {
  const text = (value: string | number | boolean): string =>
    typeof value === "boolean" ? (value ? "on" : "off") : String(value);
  return [driver, ...Object.entries(properties).map(([name, value]) => `${name}=${text(value)}`)].join(",");
}

/** What stands for function 0 of slots that have lost it: a device that does nothing; pure. */
export function toSlotHeads(addresses: readonly string[]): readonly string[] {
  return findHeadlessSlots(addresses).flatMap((slot) => [
    "-device",
    toPciDevice("pci-testdev", `id=head${slot.toString(16)}`, toPci(slot)),
  ]);
}

/** A block node over a file that QEMU inherits; pure. */
export function toFdNode(
  nodeName: string,
  fd: number,
  { format, readOnly }: { readonly format: "raw" | "qcow2"; readonly readOnly: boolean },
): readonly string[] {
  const node = {
    driver: format,
    "node-name": nodeName,
    "read-only": readOnly,
    file: { driver: "file", filename: `/dev/fdset/${fd}`, "read-only": readOnly },
    // null: none, whatever the header says.
    ...(format === "raw" ? {} : { backing: null }),
  };
  return ["-add-fd", `fd=${fd},set=${fd}`, "-blockdev", JSON.stringify(node)];
}

/** Another PCI device at its address; pure. @throws {ZorError} when the address is damaged. */
export function toPciDevice(device: string, properties: string, address: string): string {
  const place = parseAddress(address);
  if (place.type !== "pci") throw new Error(`${device} cannot be on ${address}`);
  return [device, properties, toPciProperty(place)].filter((each) => each !== "").join(",");
}

/** Function 0 always says that there may be others: a guest's name of an interface tells whether it does. */
function toPciProperty({ slot, func }: PciAddress): string {
  return `addr=${slot.toString(16)}.${func}${func === 0 ? ",multifunction=on" : ""}`;
}
