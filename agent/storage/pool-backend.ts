import type { PoolSpec } from "../../proto/gen/zor/v1/pool.js";
import type { VolumeSecret } from "../drivers/abilities/volumes.js";

/** What a volume is kept as. What is no file is always raw. */
export type VolumeFormat = "raw" | "qcow2";

/** Kinds of storage, as PoolSpec.backend has them. */
export type BackendKind = NonNullable<PoolSpec["backend"]>["$case"];

/** A pool as backends know it. */
export interface StoragePool {
  readonly id: string;
  readonly uid: string;
  /** Resource name for errors. */
  readonly name: string;
  readonly spec: PoolSpec;
}

/** A volume as backends know it. What they call it follows from its uid alone: {@link storageName}. */
export interface StorageVolume {
  readonly uid: string;
  /** Resource name for errors. */
  readonly name: string;
  readonly sizeBytes: bigint;
  readonly format: VolumeFormat;
}

/**
 * How QEMU reaches a volume's content. "file" and "device" are opened once by the agent, through no link, looked at, and handed on as a
 * descriptor; "remote" is a protocol node of blockdev-add that QEMU dials itself.
 */
export type VolumeSource =
  | {
      readonly kind: "file";
      readonly path: string;
      readonly format: VolumeFormat;
      /** A server has it, and may not answer; default: the host itself. */
      readonly ofServer?: true;
    }
  | { readonly kind: "device"; readonly path: string }
  | {
      readonly kind: "remote";
      /** {driver: "rbd", pool: …, image: …} */
      readonly node: Readonly<Record<string, unknown>>;
      /** Objects of QEMU that the node refers to; they never stand on a command line. */
      readonly secrets?: readonly VolumeSecret[];
    };

/** What the storage of a pool has. */
export interface PoolCapacity {
  readonly totalBytes: bigint;
  readonly freeBytes: bigint;
}

/**
 * One kind of storage. A backend is one file in this folder's `backends` and one line in its index. All calls for one volume come one at a
 * time. Errors are ZorErrors that name the resource and the remedy, or ToolErrors. What the backend did not make is never touched.
 */
export interface PoolBackend {
  readonly kind: BackendKind;
  /** What a volume may be kept as, the default first. */
  readonly formats: readonly [VolumeFormat, ...VolumeFormat[]];
  /** It is storage of the host itself: the agent waits for it when it starts. Default: it may not answer, and nobody waits. */
  readonly opensAtOnce?: true;
  /** Checks a pool's spec against policy and host; changes nothing. @throws {ZorError} with field paths from "pool.spec" on, and the remedy. */
  check(spec: PoolSpec): Promise<void>;
  /** Makes it usable (directory, mount); idempotent. Called at start of the agent too, and again while it cannot be had. */
  open(pool: StoragePool): Promise<void>;
  /** Undoes open (unmounts). Volumes stay. Idempotent. */
  close(pool: StoragePool): Promise<void>;
  capacity(pool: StoragePool): Promise<PoolCapacity>;
  /** Where it is, for people; pure. */
  location(pool: StoragePool): string;
  /** Makes an empty volume; what an earlier half-done create left is replaced. Durable when it resolves. */
  create(pool: StoragePool, volume: StorageVolume): Promise<void>;
  /** Grows a volume that nothing runs on. @param sizeBytes not smaller than it is. Idempotent. */
  resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void>;
  /**
   * Promises room for a volume that will be as large as this, before it is grown while a machine runs on it. @throws {ZorError}
   * RESOURCE_EXHAUSTED. Default: there is nothing to ask.
   */
  promise?(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void>;
  /**
   * Grows what lies below a volume that a machine runs on, which then grows itself (block_resize). Default: nothing does: a file grows with
   * what is written, and what QEMU dials it grows itself.
   */
  resizeBelow?(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void>;
  /** Removes a volume; idempotent. */
  remove(pool: StoragePool, volume: StorageVolume): Promise<void>;
  source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource>;
  /** Bytes that a volume takes; default: not known. */
  allocated?(pool: StoragePool, volume: StorageVolume): Promise<bigint>;
}

/** What a volume is called where it lies: nothing that a user wrote is in it. */
export function storageName({ uid }: Pick<StorageVolume, "uid">): string {
  return `zor-${uid}`;
}
