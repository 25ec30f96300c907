import type { Suspendable } from "../abilities/suspendable.js";
import type { DiskQuota } from "../disk-quota.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { assertMemoryInOnePiece } from "./live/size.js";
import type { Machine } from "./machine.js";
import { assertMemoryFits, hasMemoryImage, removeMemoryImage, writeMemoryImage } from "./memory-image.js";
import { sizeOf } from "./options.js";

/** What suspending machines needs of their driver. */
export interface SuspendAccess {
  /** @throws {ZorError} FAILED_PRECONDITION when it is not observed. */
  machineOf(instance: DriverInstance): Machine;
  readonly quota: DiskQuota;
  /** Promises a machine its disks, and that much besides. @throws {ZorError} RESOURCE_EXHAUSTED */
  promiseDisk(instance: DriverInstance, besidesMib: number): Promise<void>;
  stop(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<void>;
  /** Starts a machine whose memory is on disk. */
  startFromMemory(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle>;
}

/** Machines that are suspended to disk: QEMU's migration, into a file of the instance. */
export function machineSuspending(access: SuspendAccess): Suspendable {
  return {
    suspend: async (instance, handle, options) => {
      const needed = sizeOf(instance.spec).memoryMib;
      await assertMemoryFits(access.quota, instance);
      await access.promiseDisk(instance, needed);
      try {
        await assertMemoryInOnePiece(access.machineOf(instance), "be suspended to disk");
        await writeMemoryImage(instance, access.machineOf(instance), options);
      } catch (error) {
        await access.promiseDisk(instance, 0).catch(() => undefined);
        throw error;
      }
      await access.stop(instance, handle, options);
    },
    isSuspended: async (instance) => hasMemoryImage(instance),
    resumeSuspended: (instance, network, options) => access.startFromMemory(instance, network, options),
    discardSuspended: async (instance) => {
      await removeMemoryImage(instance);
      await access.promiseDisk(instance, 0).catch(() => undefined);
    },
  };
}
