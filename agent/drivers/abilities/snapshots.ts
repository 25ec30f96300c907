import type { CallOptions, DriverInstance, Progress, RecoveryHandle } from "../driver-instance.js";

/** A snapshot as a driver knows it. */
export interface SnapshotTag {
  /** Identity: letters, digits and "-", at most 64. */
  readonly tag: string;
  /** With memory and devices. */
  readonly memory: boolean;
}

/** What came of taking a snapshot. */
export interface SnapshotFacts {
  /** Bytes that it holds beyond what it shares with the instance's disks. */
  readonly sizeBytes: number;
  /** File systems are whole at that instant. */
  readonly consistent: boolean;
  /** Ids of the volumes that it is kept in too; default: none. */
  readonly volumes?: readonly string[];
  /** The driver's own facts, given back when the instance is taken back; small. */
  readonly extra: Readonly<Record<string, string>>;
}

/** Drivers that can keep states of an instance and go back to them. Any may be deleted without loss to the others. */
export interface Snapshottable {
  /** It can keep memory. */
  readonly withMemory: boolean;

  /**
   * Whether a snapshot could be taken; changes nothing.
   * @throws {ZorError} FAILED_PRECONDITION with what is in the way.
   */
  checkSnapshot(instance: DriverInstance, handle: RecoveryHandle | undefined, wanted: SnapshotTag): Promise<void>;

  /** Takes one. On error or abort nothing of it is left, and the guest goes on. @param handle undefined: it does not run. */
  takeSnapshot(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    wanted: SnapshotTag,
    options: CallOptions & { readonly progress: Progress },
  ): Promise<SnapshotFacts>;

  /**
   * Goes back. With memory the instance runs, and does so afterwards; without it does not run.
   * @throws {ZorError} and then nothing has changed, unless it says otherwise.
   */
  revertTo(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    wanted: SnapshotTag & { readonly extra: Readonly<Record<string, string>> },
    options: CallOptions & { readonly progress: Progress },
  ): Promise<void>;

  /** Deletes one. Idempotent. */
  deleteSnapshot(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    wanted: SnapshotTag,
    options: CallOptions,
  ): Promise<void>;
}
