import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** Drivers whose long work goes on, or leaves its marks, when the agent is killed in the middle. */
export interface Settling {
  /**
   * Ends what an earlier agent left under way at a running instance: jobs, targets of copies, a guest whose file systems are frozen.
   * Idempotent. Resolves to what was done, for people; empty when there was nothing.
   */
  settle(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<readonly string[]>;
}
