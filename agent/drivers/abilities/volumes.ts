import type { FileHandle } from "node:fs/promises";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { CallOptions, DriverInstance } from "../driver-instance.js";
import type { CopyOptions } from "./copies.js";

/** A volume that a specification names. */
export interface NamedVolume {
  /** Its id. */
  readonly volume: string;
  /** What it is in the instance: "disk1". */
  readonly part: string;
  /** Proto path of where it is named: "instance.spec.qemu.disks[1].volume". */
  readonly field: string;
  readonly readOnly: boolean;
}

/** What is known of a volume. */
export interface VolumeFacts {
  /** Resource name. */
  readonly name: string;
  /** Identity: another volume of its name has another one. */
  readonly uid: string;
  readonly sizeBytes: bigint;
  /** What it is kept as: "qcow2" is always a file. */
  readonly format: "raw" | "qcow2";
}

/** The content of a volume, as a QEMU is given it. */
export type VolumeContent =
  | { readonly kind: "file"; readonly file: FileHandle; readonly format: "raw" | "qcow2" }
  /** A block device. */
  | { readonly kind: "device"; readonly file: FileHandle }
  | {
      readonly kind: "remote";
      /** A protocol node of QEMU's blockdev-add. */
      readonly node: Readonly<Record<string, unknown>>;
      readonly secrets: readonly VolumeSecret[];
    };

/** A volume whose content can be had. Disposing of it closes what is open. */
export type OpenVolume = AsyncDisposable & Pick<VolumeFacts, "name" | "sizeBytes"> & VolumeContent;

/** An object of QEMU that holds what nobody else may know; it never stands on a command line. */
export interface VolumeSecret {
  readonly id: string;
  readonly data: string;
  /** How the data is written; default "raw". */
  readonly format?: "raw" | "base64";
}

/** The volumes of this host, as drivers have them. */
export interface VolumeAccess {
  /** @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION when it is not whole. */
  look(volume: string): VolumeFacts;
  /** Opens what is in it, which is looked at before. @throws {ZorError} FAILED_PRECONDITION when it cannot be had. */
  open(volume: string, mode: "r" | "r+"): Promise<OpenVolume>;
  /**
   * Makes empty storage that is to take the place of a volume's, and keeps both until {@link settleReplaced}, also over the end of the agent.
   * Nobody opens the volume meanwhile.
   * @param holder identity of who has the volume and decides.
   * @throws {ZorError} and then nothing of it is left.
   */
  replace(volume: string, holder: string): Promise<OpenVolume>;
  /**
   * Has the volumes of which storage was made for a holder be that from now on, or be what they were; durable when it resolves. The other
   * storage goes. Idempotent. @throws {ZorError} when it could not be written down; that is tried again.
   */
  settleReplaced(holder: string, keep: "new" | "old"): Promise<void>;
}

/** Drivers whose instances can have volumes. That nobody else has one is the instance layer's work. */
export interface UsesVolumes {
  /** The volumes that a specification names; pure. */
  volumesOf(spec: InstanceSpec): readonly NamedVolume[];
  /** Called once, before anything is created or started. */
  giveVolumes(access: VolumeAccess): void;
  /** Has a running instance see a volume in its new size, which is larger than it was. Idempotent. @throws {ZorError} */
  growVolume(
    instance: DriverInstance,
    grown: { readonly part: string; readonly sizeBytes: bigint },
    options: CallOptions,
  ): Promise<void>;
  /** What a running instance has as a volume; undefined: nothing. @throws {ZorError} */
  findRunning(instance: DriverInstance, part: string): Promise<RunningVolume | undefined>;
  /**
   * Has a running instance go on with a volume somewhere else, once all of it is there. On error or abort it goes on with what it had.
   * @throws {ZorError}
   */
  moveVolume(instance: DriverInstance, move: VolumeMove, options: CopyOptions): Promise<void>;
}

/** What a running instance has as a volume. */
export interface RunningVolume {
  /** What its driver calls where it is: another name after a move. */
  readonly node: string;
  readonly sizeBytes: bigint;
}

/** Where a volume of a running instance goes to. */
export interface VolumeMove {
  readonly part: string;
  /** Empty, and not smaller. */
  readonly target: VolumeContent;
  /**
   * Called once, in the instant in which both places are alike and neither is written to: what it writes down decides from where the
   * volume is read if this program is ended before the instance has gone over. @param node as {@link RunningVolume.node} is then.
   */
  readonly commit: (node: string) => Promise<void>;
}
