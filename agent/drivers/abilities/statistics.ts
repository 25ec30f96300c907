import type { InstanceStatistics } from "../../../proto/gen/zor/v1/statistics_service.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** Drivers whose runtime counts what instances use. */
export interface HasStatistics {
  /** Reads the counters of one that runs; nothing is read when nobody asks. */
  readStatistics(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<InstanceStatistics>;
}
