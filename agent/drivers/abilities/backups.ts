import type { FileHandle } from "node:fs/promises";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { CopyFacts, CopyOptions } from "./copies.js";

/** A backup that is to be taken. */
export interface BackupRequest {
  /**
   * Identity: letters, digits and "-". What is written from its instant on is found by it. "": none will build on it, and what earlier ones know
   * stays as it is.
   */
  readonly tag: string;
  /** Absolute path of an empty directory of its own. */
  readonly directory: string;
  /** The one it builds on, in a directory beside its own; undefined: all is taken. */
  readonly base?: { readonly tag: string; readonly directoryName: string } | undefined;
}

/** A volume whose content is part of a backup. */
export interface BackedUpVolume {
  /** What it was in the instance: "disk1". */
  readonly disk: string;
  /** Its id. */
  readonly volume: string;
  readonly uid: string;
  readonly sizeBytes: number;
}

/** A backup that was taken. */
export interface TakenBackup {
  /** The full one first, the one to restore last. */
  readonly layers: readonly BackupLayer[];
  readonly volumes: readonly BackedUpVolume[];
}

/** What came of taking a backup. */
export interface BackupFacts extends CopyFacts {
  /** Volumes that are part of it; default: none. */
  readonly volumes?: readonly BackedUpVolume[];
  /** Why all was taken although it builds on another; "": it does, or was to be full. */
  readonly whyFull: string;
}

/** The open files of a backup by name, as they were verified; whoever calls closes them. */
export type BackupLayer = ReadonlyMap<string, FileHandle>;

/** How an instance that is there is restored. */
export interface RestoreOptions extends CopyOptions {
  /** Called when all is copied, and before what was there goes. @throws when what was copied is not what was verified. */
  readonly verify: () => Promise<void>;
}

/** Drivers whose instances can be backed up, running or not, and made from backups. */
export interface BackedUp {
  /** @throws {ZorError} with what is in the way; changes nothing. */
  checkBackup(instance: DriverInstance): Promise<void>;

  /** Writes what the instance holds at one instant into the directory, durably. On error what earlier ones know is as it was. */
  takeBackup(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    wanted: BackupRequest,
    options: CopyOptions,
  ): Promise<BackupFacts>;

  /**
   * The specification of a new instance that is to hold what a backup holds: disks of its own stand for the volumes of the backup; pure.
   * Default: as it is.
   */
  withoutVolumes?(spec: InstanceSpec, volumes: readonly BackedUpVolume[]): InstanceSpec;

  /** Has an instance that was just created, and does not run, hold what a backup holds. */
  restoreBackup(instance: DriverInstance, backup: TakenBackup, options: CopyOptions): Promise<void>;

  /**
   * Has an instance that is there, and does not run, hold what a backup holds, and so the volumes of the backup, which it has: what all of them
   * held is kept until that is durable, also over the end of the agent, and until {@link RestoreOptions.verify} has looked. Absent where that
   * cannot be.
   * @throws {ZorError} and then they hold what they held.
   */
  restoreInto?(instance: DriverInstance, backup: TakenBackup, options: RestoreOptions): Promise<void>;

  /** Undoes or finishes a {@link restoreInto} that the end of an agent cut short. Resolves to whether it was undone. Idempotent. */
  settleRestore?(instance: DriverInstance): Promise<boolean>;
}
