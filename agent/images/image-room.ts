import { resourceExhausted } from "../../lib/errors.js";
import type { DiskQuota } from "../drivers/disk-quota.js";

const bytesPerMib = 1024 * 1024;

/** What the disk has for images. */
export interface ImageRoom {
  /** @throws {ZorError} RESOURCE_EXHAUSTED when so many bytes more would touch what is kept in reserve. */
  assertFits(bytes: number, resource: string): Promise<void>;
  /** Bytes that may be written without touching the reserve. */
  spareBytes(): Promise<number>;
  /** Largest disk that a guest may see, in bytes. */
  largestDiskBytes(): Promise<number>;
}

/** The room that the disk limits of the agent leave. */
export function imageRoom(quota: DiskQuota): ImageRoom {
  return {
    assertFits: async (bytes, resource) => {
      const spare = await quota.spareBytes();
      if (bytes <= spare) return;
      throw resourceExhausted(
        "DISK_QUOTA",
        `${resource}: ${Math.ceil(bytes / bytesPerMib)} MiB more do not fit: the host's disk has ${Math.floor(spare / bytesPerMib)} MiB beside its reserve; free some space, or lower disk.reserveMib in the agent's settings`,
        resource,
      );
    },
    spareBytes: () => quota.spareBytes(),
    largestDiskBytes: async () => (await quota.instanceMib()) * bytesPerMib,
  };
}
