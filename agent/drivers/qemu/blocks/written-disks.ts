import { failedPrecondition } from "../../../../lib/errors.js";
import type { VolumeAccess, VolumeFacts } from "../../abilities/volumes.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../../driver-instance.js";
import { isRaw, isVolume } from "../disks.js";
import { diskName, diskNumber } from "../ids.js";
import { qemuOptionsOf } from "../options.js";
import { diskNode } from "./block-engine.js";
import { keptDisks, type MachineAccess, type PlacedDisk } from "./machine-copies.js";
import { findRunningDisk } from "./move-volume.js";

/** A disk whose content is part of the states that are kept of a machine. */
export interface WrittenDisk extends PlacedDisk {
  /** Name of its node in the QEMU that has it open. */
  readonly node: string;
  /** The volume that it is; undefined: it is the machine's own. */
  readonly volume: (VolumeFacts & { readonly id: string }) | undefined;
}

/** The disks whose content is part of what is kept of a machine: its own that stay over a stop, and volumes that it writes; pure. */
export function writtenDisks(instance: DriverInstance): readonly PlacedDisk[] {
  return [...keptDisks(instance), ...writtenVolumes(instance)].sort((one, other) => one.index - other.index);
}

/** The volumes that a machine writes; pure. */
function writtenVolumes({ spec }: Pick<DriverInstance, "spec">): readonly PlacedDisk[] {
  return [...qemuOptionsOf(spec).disks.entries()].flatMap(([index, disk]) =>
    isVolume(disk) && !disk.readOnly ? [{ index, disk }] : [],
  );
}

/**
 * The same with where they are: a volume of a running machine that was moved is not where its place says.
 * @param handle undefined: it does not run, and its disks are opened for this.
 * @throws {ZorError} FAILED_PRECONDITION when a running machine does not have one, or a volume is not whole.
 */
export async function findWrittenDisks(
  access: MachineAccess,
  { instance, handle }: { readonly instance: DriverInstance; readonly handle: RecoveryHandle | undefined },
  options: CallOptions,
): Promise<readonly WrittenDisk[]> {
  const { volumes } = access.disksOptions(instance, options);
  const found: WrittenDisk[] = [];
  for (const { disk, index } of writtenDisks(instance)) {
    const usual = diskNode(diskNumber(disk, index));
    if (!isVolume(disk)) {
      found.push({ disk, index, node: usual, volume: undefined });
      continue;
    }
    const volume = { id: disk.volume, ...lookAt(volumes, disk.volume, instance.name) };
    if (handle === undefined) {
      found.push({ disk, index, node: usual, volume });
      continue;
    }
    const running = await findRunningDisk(access.machineOf(instance), diskName(disk, index));
    if (running === undefined) throw notThere(instance.name, diskName(disk, index));
    found.push({ disk, index, node: running.node, volume });
  }
  return found;
}

/** Why what is written to a disk is not tracked from one backup to the next, and no snapshot is kept in it; undefined: both work; pure. */
export function whyNotQcow2({ disk, index, volume }: Omit<WrittenDisk, "node">): string | undefined {
  const name = diskName(disk, index);
  if (volume !== undefined) {
    return volume.format === "qcow2" ? undefined : `${name}, the volume ${volume.id}, is not kept as qcow2`;
  }
  return isRaw(disk) ? `${name} is raw` : undefined;
}

/** What is known of a volume. @throws {ZorError} */
export function lookAt(volumes: VolumeAccess | undefined, id: string, resource: string): VolumeFacts {
  if (volumes === undefined) throw new Error(`nobody told of the volumes that ${resource} names`);
  return volumes.look(id);
}

function notThere(name: string, disk: string): Error {
  const why = `the running machine does not have ${disk}`;
  return failedPrecondition("NO_DEVICE", name, `${name}: ${why}; stop and start it`);
}
