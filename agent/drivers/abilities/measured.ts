import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** What a runtime counts of disks, all together, since the instance was started. */
export interface DiskUse {
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly readOps: number;
  readonly writeOps: number;
}

/** Where the kernel counts what an instance uses. */
export type MeterPlace =
  | {
      /** A control group of its own. */
      readonly kind: "group";
      readonly version: "v1" | "v2";
      /** Where the control groups are, absolute: "/sys/fs/cgroup". */
      readonly root: string;
      /** Below that, or below the directory of each controller. */
      readonly path: string;
    }
  | {
      /** A process that is all of it. */
      readonly kind: "process";
      readonly pid: number;
      /** Asks the runtime for what it counts of disks; undefined: it does not answer now. */
      readonly readDisks?: () => Promise<DiskUse | undefined>;
      /** Asks for the bytes of memory that the guest says its programs can still have; undefined: it does not say. */
      readonly readGuestAvailable?: () => Promise<number | undefined>;
    };

/** Drivers whose instances the kernel counts, where that can be read each second. */
export interface Measured {
  /** Where the counters of one that runs are; undefined: nowhere. */
  placeOf(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<MeterPlace | undefined>;
}
