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
    assertFits: (bytes, resource) =>
      quota.assertSpare(resource, bytes, (spare) => {
        const [needed, left] = [Math.ceil(bytes / bytesPerMib), Math.floor(spare / bytesPerMib)];
        return `${needed} MiB more do not fit: the host's disk has ${left} MiB beside its reserve`;
      }),
    spareBytes: () => quota.spareBytes(),
    largestDiskBytes: async () => (await quota.instanceMib()) * bytesPerMib,
  };
}
