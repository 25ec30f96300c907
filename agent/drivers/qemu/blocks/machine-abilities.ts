import type { Settling } from "../../abilities/settles.js";
import type { Snapshottable } from "../../abilities/snapshots.js";
import type { Abilities, RecoveryHandle } from "../../driver.js";
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

/** Snapshots of machines: kept inside their persistent disks, so that any can be gone back to and any deleted. */
function machineSnapshots(access: MachineAccess): Snapshottable {
  const acceleratorOf = (handle: RecoveryHandle) => handle.extra["accelerator"] ?? "";
  return {
    withMemory: true,
    checkSnapshot: async (instance, handle, wanted) => {
      checkMachineSnapshot(instance, handle !== undefined, wanted);
      if (wanted.memory) await assertMemoryFits(access.quota, instance);
    },
    takeSnapshot: async (instance, handle, wanted, options) => {
      checkMachineSnapshot(instance, handle !== undefined, wanted);
      if (handle === undefined) return await snapshotStopped(instance, wanted, access.disksOptions(instance, options));
      if (wanted.memory) await assertMemoryFits(access.quota, instance);
      const accelerator = acceleratorOf(handle);
      return await snapshotRunning(instance, access.machineOf(instance), wanted, { ...options, accelerator });
    },
    revertTo: async (instance, handle, wanted, options) => {
      if (handle === undefined) return await revertStopped(instance, wanted, access.disksOptions(instance, options));
      const accelerator = acceleratorOf(handle);
      await loadSnapshot(instance, access.machineOf(instance), wanted, { ...options, accelerator });
    },
    deleteSnapshot: async (instance, handle, { tag }, options) => {
      if (handle === undefined) await deleteFromStopped(instance, tag, access.disksOptions(instance, options));
      else await deleteFromRunning(access.machineOf(instance), tag);
    },
  };
}

/** Ends what is left of long work at machines. */
export function machineSettling(access: MachineAccess): Settling {
  return { settle: (instance) => settleMachine(instance, access.machineOf(instance)) };
}
