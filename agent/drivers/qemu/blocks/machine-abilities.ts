import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { Settling } from "../../abilities/settles.js";
import type { SnapshotTag, Snapshottable } from "../../abilities/snapshots.js";
import type { Abilities, DriverInstance, RecoveryHandle } from "../../driver.js";
import { assertMemoryFits } from "../memory-image.js";
import { MachineScreens } from "../screen.js";
import { machineBackups } from "./machine-backups.js";
import { type LookAccess, machineFiles } from "../look/machine-files.js";
import { type MachineAccess, machineCopies, machineSaves } from "./machine-copies.js";
import {
  checkMachineSnapshot,
  deleteFromRunning,
  deleteFromStopped,
  loadSnapshot,
  revertStopped,
  snapshotRunning,
  snapshotStopped,
} from "./machine-snapshots.js";
import { settleMachine } from "./settle.js";
import { findWrittenDisks } from "./written-disks.js";

/** What machines can be asked for beside their power. */
export function machineAbilities(
  access: LookAccess,
): Pick<Abilities, "snapshot" | "copy" | "save" | "backup" | "screen" | "files"> {
  return {
    snapshot: machineSnapshots(access),
    copy: machineCopies(access),
    save: machineSaves(access),
    backup: machineBackups(access),
    files: machineFiles(access),
    screen: new MachineScreens((instance) => access.machineOf(instance)),
  };
}

/** Snapshots of machines: kept inside their persistent disks and the volumes that they write, so that any can be gone back to and any deleted. */
function machineSnapshots(access: MachineAccess): Snapshottable {
  const acceleratorOf = (handle: RecoveryHandle) => handle.extra["accelerator"] ?? "";
  const check = (instance: DriverInstance, handle: RecoveryHandle | undefined, wanted: SnapshotTag): void => {
    const { volumes } = access.disksOptions(instance, { signal: uninterrupted });
    checkMachineSnapshot(instance, handle !== undefined, { ...wanted, volumes });
  };
  return {
    withMemory: true,
    checkSnapshot: async (instance, handle, wanted) => {
      check(instance, handle, wanted);
      if (wanted.memory) await assertMemoryFits(access.quota, instance);
    },
    takeSnapshot: async (instance, handle, wanted, options) => {
      check(instance, handle, wanted);
      const written = await findWrittenDisks(access, { instance, handle }, options);
      if (handle === undefined) {
        return await snapshotStopped(instance, wanted, { ...access.disksOptions(instance, options), written });
      }
      if (wanted.memory) await assertMemoryFits(access.quota, instance);
      const how = { ...options, accelerator: acceleratorOf(handle), disks: written };
      return await snapshotRunning(instance, access.machineOf(instance), wanted, how);
    },
    revertTo: async (instance, handle, wanted, options) => {
      const written = await findWrittenDisks(access, { instance, handle }, options);
      if (handle === undefined) {
        return await revertStopped(instance, wanted, { ...access.disksOptions(instance, options), written });
      }
      const how = { ...options, accelerator: acceleratorOf(handle), disks: written };
      await loadSnapshot(instance, access.machineOf(instance), wanted, how);
    },
    deleteSnapshot: async (instance, handle, { tag }, options) => {
      if (handle !== undefined) return await deleteFromRunning(access.machineOf(instance), tag);
      await deleteFromStopped(instance, tag, { ...access.disksOptions(instance, options), withVolumes: true });
    },
  };
}

/** Ends what is left of long work at machines. */
export function machineSettling(access: MachineAccess): Settling {
  return { settle: (instance) => settleMachine(instance, access.machineOf(instance)) };
}
