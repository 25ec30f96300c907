import { type PciAddress, parseAddress } from "../placement.js";

/** A virtio device at its address, as the value of -device; pure. @throws {ZorError} when the recorded address is damaged. */
export function toVirtioDevice(device: string, properties: string, address: string): string {
  const place = parseAddress(address);
  if (place.type === "mmio") return `${device}-device,${properties},bus=${address}`;
  return `${device}-pci,${properties},${toPciProperty(place)}`;
}

/** Function 0 always says that there may be others: a guest's name of an interface tells whether it does. */
function toPciProperty({ slot, func }: PciAddress): string {
  return `addr=${slot.toString(16)}.${func}${func === 0 ? ",multifunction=on" : ""}`;
}
