import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** When a changed field takes effect. "never": it cannot be changed; `remedy` completes "cannot be changed; …". */
export type Timing =
  | { readonly when: "now" }
  | { readonly when: "next-start" }
  | { readonly when: "never"; readonly remedy: string };

/** A changed field of a specification. */
export interface FieldChange {
  /** Below the specification: "cpus", "qemu.machine", "nics.eth1" for an interface of that name. */
  readonly path: string;
  readonly before: InstanceSpec;
  readonly after: InstanceSpec;
  /** It runs; otherwise everything but "never" is as good as now. */
  readonly isRunning: boolean;
}

/** What changes at an instance. */
export interface SpecChange {
  readonly before: InstanceSpec;
  /** With those changes alone that are made now. */
  readonly after: InstanceSpec;
  /** Paths of the fields that differ, as in {@link FieldChange}. */
  readonly paths: readonly string[];
  /** The interfaces of `after`, made ready; undefined: it does not run. */
  readonly network: InstanceNetwork | undefined;
}

/** Drivers whose instances can be changed. What others can only do anew is said in their place: see defaultTiming. */
export interface Changeable {
  /**
   * When a change takes effect; pure.
   * Asked for the fields below the driver's options, cpus, memory_mib, and interfaces that are added at the end ("nics.eth1", only in `after`),
   * taken away from there, or changed in more than their lan.
   */
  timingOf(change: FieldChange): Timing;

  /**
   * The specification with what only the driver can say of new parts (addresses, names), and what it has said of those that stay; pure.
   * Default: as it is. @throws {ZorError} when there is no room for them.
   */
  settle?(change: {
    readonly before: InstanceSpec;
    readonly after: InstanceSpec;
    readonly isLive: boolean;
  }): InstanceSpec;

  /**
   * Makes the changes: at what runs, or, without a handle, at what lies on disk. `instance` has the specification from before. On error
   * everything is as it was. Resolves to what takes it back, should the change not be written down; called at most once.
   */
  applyChange(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    change: SpecChange,
    options: CallOptions,
  ): Promise<() => Promise<void>>;

  /**
   * Removes for good what a change that was made and written down has left behind: the files of disks that are gone. Idempotent.
   * Default: nothing is left.
   */
  finishChange?(instance: DriverInstance, change: SpecChange): Promise<void>;
}
