import type { InstanceNetwork } from "../../network/instance-networks.js";
import type { CallOptions, DriverInstance, Progress, RecoveryHandle } from "../driver-instance.js";

/** Drivers that can keep the memory of an instance on disk while it does not run. */
export interface Suspendable {
  /**
   * Keeps its memory on disk and ends it; resolves when both are so. On error it runs on as before, and nothing is left on disk. What an agent
   * that is killed in the middle leaves is one or the other after `recover`: it runs, or is suspended.
   * @throws {ZorError} RESOURCE_EXHAUSTED when its memory does not fit on the disk.
   */
  suspend(
    instance: DriverInstance,
    handle: RecoveryHandle,
    options: CallOptions & { readonly progress: Progress },
  ): Promise<void>;

  /** Whether its memory is on disk. */
  isSuspended(instance: DriverInstance): Promise<boolean>;

  /**
   * Starts it from its memory, which is off the disk once it runs. `instance` has the specification that it was suspended with, but for the
   * lans of interfaces. On error nothing of it is left running, and its memory is still there.
   */
  resumeSuspended(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle>;

  /** Throws its memory away. It does not run. Idempotent. */
  discardSuspended(instance: DriverInstance): Promise<void>;
}
