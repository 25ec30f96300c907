import { invalidFields } from "../../../../lib/errors.js";
import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import { diskSizeBytes, type InstanceDisk, isVolume, openDiskImage, openDisks } from "../disks.js";
import { diskName } from "../ids.js";
import type { InheritedFiles } from "../inherited-files.js";
import { assertHasIo } from "../qemu-probe.js";
import { toDeviceWord, toSlotHeads } from "./device.js";
import { checkDisks } from "./disk-check.js";
import { iothreadId, toDiskDevice } from "./disk-device.js";
import { type NodeLayer, toDiskNodes } from "./disk-nodes.js";
import { bootIndexOf } from "./boot-order.js";
import type { Asked, HardwarePart, MachineHost } from "./part.js";

/** A disk whose files are open. */
interface DiskPlan {
  readonly disk: Disk;
  /** Its files, top first, as QEMU inherits them. */
  readonly layers: readonly NodeLayer[];
  /** Place in the order in which the firmware looks for something to boot; undefined: it does not look here. */
  readonly bootIndex: number | undefined;
}

const bytesPerMib = 1024n * 1024n;

export const disks: HardwarePart<readonly DiskPlan[]> = {
  check: checkDisks,
  admit,
  open: async (launch) => {
    const { options, inherited, instance, signal } = launch;
    for (const [index, disk] of options.disks.entries()) await assertHasIo(disk, index, signal);
    const opened = inherited.keep(await openDisks(options.disks, { ...launch, directory: instance.directory }));
    return opened.disks.map((files, index) => ({
      disk: options.disks[index] as Disk,
      layers: toLayers(files, inherited),
      bootIndex: bootIndexOf(launch, "disk", index),
    }));
  },
  toArguments: (plans, { machine }) => ({
    argv: [...toSlotHeads(plans.map(({ disk }) => disk.deviceAddress).filter(isPciPlace))].concat(
      plans.flatMap(({ disk, layers, bootIndex }, index) => {
        const id = diskName(disk, index);
        const nodes = toDiskNodes(disk, layers, { id, isReadOnly: disk.readOnly });
        return [
          ...nodes.flatMap((node, level) => {
            const set = layers[layers.length - 1 - level]?.set ?? 0;
            return ["-add-fd", `fd=${set},set=${set}`, "-blockdev", JSON.stringify(node)];
          }),
          ...(disk.iothread ? ["-object", `iothread,id=${iothreadId(id)}`] : []),
          ...["-device", toDeviceWord(toDiskDevice(disk, { index, machine, bootIndex }))],
        ];
      }),
    ),
  }),
};

/** Those on other buses have no place of PCI. */
function isPciPlace(address: string): boolean {
  return address.startsWith("0000:");
}

/** Virtual size of all disks together, in MiB. @throws {ZorError} as opening the images does. */
export async function totalDiskMib(list: readonly Disk[], imageDirectories: readonly string[]): Promise<number> {
  let total = 0n;
  for (const [index, disk] of list.entries()) {
    // What volumes take was promised to them.
    if (isVolume(disk)) continue;
    await using chain = await openDiskImage(disk, index, { imageDirectories });
    total += toMib(diskSizeBytes(disk, chain));
  }
  return Number(total);
}

async function admit({ options }: Asked, { imageDirectories, quota, signal }: MachineHost): Promise<void> {
  const { disks: list } = options;
  const limitMib = list.length === 0 ? 0 : await quota.instanceMib();
  let totalMib = 0;
  for (const [index, disk] of list.entries()) {
    const field = `instance.spec.qemu.disks[${index}]`;
    await assertHasIo(disk, index, signal);
    if (isVolume(disk)) continue;
    await using chain = await openDiskImage(disk, index, { imageDirectories });
    if (chain !== undefined && diskSizeBytes(disk, chain) < chain.virtualSizeBytes) {
      const description = `is smaller than the image; use 0 or at least ${toMib(chain.virtualSizeBytes)}`;
      throw invalidFields([{ field: `${field}.size_mib`, description }]);
    }
    totalMib += Number(toMib(diskSizeBytes(disk, chain)));
    if (totalMib <= limitMib) continue;
    const what = list.length === 1 ? "the disk is" : `with this one the disks are`;
    const description = `${what} ${totalMib} MiB in size, more than the ${limitMib} MiB a machine may have; use a smaller one, or raise disk.instanceMib in the agent's settings`;
    throw invalidFields([{ field: disk.sizeMib === 0n ? `${field}.image` : `${field}.size_mib`, description }]);
  }
}

function toMib(bytes: bigint): bigint {
  return (bytes + bytesPerMib - 1n) / bytesPerMib;
}

function toLayers({ layers }: InstanceDisk, inherited: InheritedFiles): readonly NodeLayer[] {
  // The numbers of the descriptors serve as the numbers of their sets.
  return layers.map(({ file, format }) => ({ set: inherited.share(file), format }));
}
