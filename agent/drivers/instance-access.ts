import type { Instance, InstanceSpec } from "../../proto/gen/zor/v1/instance.js";
import type { ScheduleStatus } from "../../proto/gen/zor/v1/schedule.js";
import type { CallOptions, DriverInstance, InstanceDriver, Progress, RecoveryHandle } from "./driver.js";

/** An instance, its driver, and its run. */
export interface InstanceSubject {
  readonly resource: Instance & { readonly spec: InstanceSpec };
  readonly driver: InstanceDriver;
  readonly instance: DriverInstance;
  /** Undefined: it does not run. */
  readonly handle: RecoveryHandle | undefined;
}

/** Long work that keeps everything else from changing an instance. */
export interface Claim {
  /** Completes "it is being …": "backed up". */
  readonly what: string;
  /** Name of the operation. */
  readonly operation: string;
}

/** Who asks, and until when. */
export interface AccessOptions extends CallOptions {
  /** Identity of who asks. */
  readonly caller: string;
}

/** An instance that nobody else changes meanwhile. */
export interface ClaimedInstance {
  /** As it is now; it may end by itself at any moment. */
  subject(): InstanceSubject;
  /** Starts it; it does not run. @throws {ZorError} */
  start(options: AccessOptions): Promise<void>;
  /** Ends it at once; nothing when it does not run. */
  stop(options: AccessOptions): Promise<void>;
  /** Its state has changed under its driver: looks again. */
  observe(options: AccessOptions): Promise<void>;
}

/** A new instance that is filled from something else than its images. */
export interface MadeInstance {
  readonly id: string;
  readonly spec: InstanceSpec;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** How a new instance is made. */
export interface MakingOptions extends AccessOptions {
  readonly progress: Progress;
  readonly leaveStopped: boolean;
  /** Fills its disks, once its driver has made them; it does not run. */
  readonly fill: (instance: DriverInstance) => Promise<void>;
}

/** An instance that may have gone, and another one have its name. */
export interface Identified {
  readonly id: string;
  readonly uid: string;
}

/** What other kinds can do with the instances of this host. */
export interface InstanceAccess {
  /** @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION when its specification is lost. */
  look(id: string): InstanceSubject;
  /** @throws {ZorError} FAILED_PRECONDITION, naming the operation, while it is claimed. */
  assertUnclaimed(id: string): void;
  /**
   * Does work at an instance while nothing else may change it; short work that was asked for before is waited for.
   * @throws {ZorError} FAILED_PRECONDITION, naming the operation, when it is claimed already.
   */
  claim<T>(id: string, claim: Claim, work: (instance: ClaimedInstance) => Promise<T>): Promise<T>;
  /** Checks a new instance; changes nothing. @throws {ZorError} */
  checkNew(wanted: MadeInstance, options: AccessOptions): Promise<void>;
  /** Makes a new instance. On error or abort nothing of it is left. */
  make(wanted: MadeInstance, options: MakingOptions): Promise<Instance>;
  /** Calls back when an instance is gone. */
  onRemoved(listener: (removed: Identified) => void): void;
  /** Calls back when an instance is there, or has changed. */
  onChanged(listener: (instance: Instance) => void): void;
  /** Says how the schedules of an instance stand; nothing when it is gone. */
  setSchedules(instance: Identified, schedules: readonly ScheduleStatus[]): void;
  /** All that there are. */
  list(): readonly Instance[];
}
