import type { CallOptions, DriverInstance, Progress, RecoveryHandle } from "../driver-instance.js";

/** How what an instance holds is copied. */
export interface CopyOptions extends CallOptions {
  readonly progress: Progress;
  /** Most bytes a second; 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

/** What came of a copy. */
export interface CopyFacts {
  /** The file systems are whole in it. */
  readonly consistent: boolean;
}

/** Drivers whose instances can be copied, running or not. What is copied is of one instant. */
export interface Copyable {
  /**
   * Has `target`, which was just created from the same specification and does not run, hold what the instance holds now.
   * @throws {ZorError} and then the instance is as it was.
   */
  copyInto(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    target: DriverInstance,
    options: CopyOptions,
  ): Promise<CopyFacts>;
}

/** What is saved of an instance. */
export interface SaveRequest {
  /** Which disk, by its place in the spec; 0 where there is but one root filesystem. */
  readonly disk: number;
  /** Only what differs from its image, which the new one then needs; else all of it. */
  readonly overlay: boolean;
}

/** Drivers whose instances can be saved as an image, running or not. */
export interface Savable {
  /** @throws {ZorError} with what is in the way; changes nothing. */
  checkSave(instance: DriverInstance, handle: RecoveryHandle | undefined, wanted: SaveRequest): Promise<void>;

  /**
   * Writes what the instance holds now to a new file, durably.
   * @param path absolute; nothing is there. On error or abort the caller removes it.
   * @throws {ZorError} and then the instance is as it was.
   */
  saveImage(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    wanted: SaveRequest & { readonly path: string },
    options: CopyOptions,
  ): Promise<CopyFacts>;
}
