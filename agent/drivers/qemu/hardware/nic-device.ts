import type { Nic } from "../../../../proto/gen/zor/v1/instance.js";
import { netdevId, nicId } from "../ids.js";
import type { MachineType } from "../placement.js";
import { type DeviceProperties, toPlaceProperties } from "./device.js";

/** Models of interfaces; those but virtio are called by QEMU as people call them. */
export const nicModels: readonly string[] = [
  ...["virtio", "e1000", "e1000e", "igb", "rtl8139", "vmxnet3", "pcnet"],
  ...["i82550", "i82551", "i82557a", "i82557b", "i82557c", "i82558a", "i82558b"],
  ...["i82559a", "i82559b", "i82559c", "i82559er", "i82562"],
];

/** The model of an interface. */
export function modelOf({ model }: Pick<Nic, "model">): string {
  return model === "" ? "virtio" : model;
}

/** How QEMU calls the device of a model. */
export function nicDriver(nic: Pick<Nic, "model">, machine: MachineType): string {
  const model = modelOf(nic);
  if (model !== "virtio") return model;
  return machine === "microvm" ? "virtio-net-device" : "virtio-net-pci";
}

/** What decides the device of an interface. */
export interface NicDevice {
  readonly model: string;
  /** As recorded in the spec. */
  readonly address: string;
  readonly mac: string;
  readonly mtu: number;
  /** Pairs of queues; more than one of virtio only. */
  readonly queues: number;
  /** The guest is not offered to send UDP super-frames. Only for a QEMU that knows them. */
  readonly withoutUso: boolean;
  /** Place in the order in which the firmware looks for something to boot; undefined: it does not look here. */
  readonly bootIndex: number | undefined;
}

/** The device of an interface; pure. @throws {ZorError} when its address is damaged. */
export function toNicDevice(nic: NicDevice, index: number, machine: MachineType): DeviceProperties {
  const id = nicId(nic.address, index);
  const virtio = {
    host_mtu: nic.mtu,
    ...(nic.withoutUso ? { host_uso: false } : {}),
    ...(nic.queues > 1 ? { mq: true } : {}),
    // One interrupt for each queue of both directions, one for changes and one for orders.
    ...(nic.queues > 1 && machine !== "microvm" ? { vectors: 2 * nic.queues + 2 } : {}),
  };
  return {
    driver: nicDriver(nic, machine),
    id,
    netdev: netdevId(id),
    mac: nic.mac,
    ...(modelOf(nic) === "virtio" ? virtio : {}),
    ...toRom(nic, machine),
    ...toPlaceProperties(nic.address, machine),
  };
}

/** A program in the interface that boots from the network; the firmware runs every one it finds, so the others have none. */
function toRom({ bootIndex }: NicDevice, machine: MachineType): Readonly<Record<string, string | number>> {
  if (machine === "microvm") return {};
  return bootIndex === undefined ? { romfile: "" } : { bootindex: bootIndex };
}
