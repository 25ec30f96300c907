import { randomUUID } from "node:crypto";
import { open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { invalidFields } from "../../../../lib/errors.js";
import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import type { VolumeSecret } from "../../abilities/volumes.js";
import { diskSizeBytes, type InstanceDisk, isVolume, openDiskImage, openDisks } from "../disks.js";
import { diskName } from "../ids.js";
import { fdPath, type InheritedFiles } from "../inherited-files.js";
import { assertHasIo } from "../qemu-probe.js";
import { toDeviceWord, toSlotHeads } from "./device.js";
import { checkDisks } from "./disk-check.js";
import { iothreadId, toDiskDevice } from "./disk-device.js";
import { type NodeLayer, type RemoteLayer, toDiskNodes } from "./disk-nodes.js";
import { bootIndexOf } from "./boot-order.js";
import type { Asked, HardwarePart, Launch, MachineHost } from "./part.js";

/** A disk whose files are open. */
interface DiskPlan {
  readonly disk: Disk;
  /** Its files, top first, as QEMU inherits them. */
  readonly layers: readonly (NodeLayer | RemoteLayer)[];
  /** Arguments that QEMU has secrets from. */
  readonly secrets?: readonly string[];
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
    const plan = async (files: InstanceDisk, index: number): Promise<DiskPlan> => ({
      disk: options.disks[index] as Disk,
      layers: toLayers(files, inherited),
      secrets: await giveSecrets(files.remote?.secrets ?? [], launch),
      bootIndex: bootIndexOf(launch, "disk", index),
    });
    return await Promise.all(opened.disks.map(plan));
  },
  toArguments: (plans, { machine }) => ({
    argv: [...toSlotHeads(plans.map(({ disk }) => disk.deviceAddress).filter(isPciPlace))].concat(
      plans.flatMap(({ disk, layers, secrets = [], bootIndex }, index) => {
        const id = diskName(disk, index);
        const nodes = toDiskNodes(disk, layers, { id, isReadOnly: disk.readOnly });
        return [
          ...secrets,
          ...nodes.flatMap((node, level) => {
            const layer = layers[layers.length - 1 - level];
            const given = layer !== undefined && "set" in layer ? ["-add-fd", `fd=${layer.set},set=${layer.set}`] : [];
            return [...given, "-blockdev", JSON.stringify(node)];
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

/** QEMU dials servers by itself, which needs the host's network. */
export function dialsServers(plans: readonly DiskPlan[] | undefined): boolean {
  return plans?.some(({ layers }) => layers.some((layer) => "remote" in layer)) === true;
}

function toLayers({ layers, remote }: InstanceDisk, inherited: InheritedFiles): DiskPlan["layers"] {
  if (remote !== undefined) return [{ format: "raw", remote: remote.node }];
  // The numbers of the descriptors serve as the numbers of their sets.
  return layers.map(({ file, format, isDevice = false }) => ({
    ...{ set: inherited.share(file), format },
    ...(isDevice ? { isDevice } : {}),
  }));
}

/** Hands secrets on in files that have no name any more, and that nobody but the machine's user could have read. */
async function giveSecrets(
  secrets: readonly VolumeSecret[],
  { instance, inherited, user }: Launch,
): Promise<readonly string[]> {
  const argv: string[] = [];
  for (const { id, data, format = "raw" } of secrets) {
    const path = join(instance.directory, `secret-${randomUUID()}`);
    const file = inherited.keep(await open(path, "wx+", 0o600));
    await unlink(path);
    await file.chown(user, user);
    await file.writeFile(data);
    argv.push("-object", `secret,id=${id},format=${format},file=${fdPath(inherited.share(file))}`);
  }
  return argv;
}
