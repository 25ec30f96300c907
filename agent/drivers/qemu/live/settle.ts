import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import { nicId } from "../ids.js";
import type { Machine } from "../machine.js";
import { qemuOptionsOf } from "../options.js";
import { resizeDisk, setDiskLimits } from "./disks.js";

/** Gives a new machine, before its CPUs run, what no argument can say: carrier, bounds of disks, and the size of those that have grown. */
export async function settle(machine: Machine, spec: InstanceSpec): Promise<void> {
  for (const [index, { lan, deviceAddress }] of spec.nics.entries()) {
    if (lan === "") await machine.setLink(nicId(deviceAddress, index), false);
  }
  const options = { resource: machine.resource, signal: new AbortController().signal };
  for (const [index, disk] of qemuOptionsOf(spec).disks.entries()) {
    if (disk.limits !== undefined) await setDiskLimits(machine, { disk, index }, options);
    if (disk.persistent && disk.sizeMib > 0n) await resizeDisk(machine, { disk, index }, options);
  }
}

/** A state of a machine that was loaded holds whether interfaces had carrier then: they have it as they are plugged in now. */
export async function settleCarriers(machine: Machine, { nics }: InstanceSpec): Promise<void> {
  for (const [index, { lan, deviceAddress }] of nics.entries()) {
    await machine.setLink(nicId(deviceAddress, index), lan !== "");
  }
}
