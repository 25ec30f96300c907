import type { DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { CopyFacts, CopyOptions } from "./copies.js";

/** A backup that is to be taken. */
export interface BackupRequest {
  /** Identity: letters, digits and "-". What is written from its instant on is found by it. */
  readonly tag: string;
  /** Absolute path of an empty directory of its own. */
  readonly directory: string;
  /** The one it builds on, in a directory beside its own; undefined: all is taken. */
  readonly base?: { readonly tag: string; readonly directoryName: string } | undefined;
}

/** What came of taking a backup. */
export interface BackupFacts extends CopyFacts {
  /** Why all was taken although it builds on another; "": it does, or was to be full. */
  readonly whyFull: string;
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
   * Has an instance that was just created, and does not run, hold what a backup holds.
   * @param directories absolute, the full one first, the one to restore last.
   */
  restoreBackup(instance: DriverInstance, directories: readonly string[], options: CopyOptions): Promise<void>;

  /**
   * Has an instance that is there, and does not run, hold what a backup holds: what it held is kept until that is durable, also over the end
   * of the agent. Absent where that cannot be. @throws {ZorError} and then it holds what it held.
   */
  restoreInto?(instance: DriverInstance, directories: readonly string[], options: CopyOptions): Promise<void>;

  /** Undoes or finishes a {@link restoreInto} that the end of an agent cut short. Resolves to whether it was undone. Idempotent. */
  settleRestore?(instance: DriverInstance): Promise<boolean>;
}
