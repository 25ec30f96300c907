import { resourceExhausted } from "../../lib/errors.js";
import type { DiskQuota } from "../drivers/disk-quota.js";

const bytesPerMib = 1024 * 1024;
/** How much room a disk has is nothing that it tells; looked at only while something writes. */
const lookMs = 500;

/** What the disk has for images. */
export interface ImageRoom {
  /** @throws {ZorError} RESOURCE_EXHAUSTED when so many bytes more would touch what is kept in reserve. */
  assertFits(bytes: number, resource: string): Promise<void>;
  /**
   * Does work that writes as it goes, beside others that do so: once what is kept in reserve is touched, the work is ended.
   * @throws {ZorError} RESOURCE_EXHAUSTED then.
   */
  guard<T>(resource: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
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
    guard: async (resource, signal, work) => {
      const full = new AbortController();
      const look = async (): Promise<void> => {
        if ((await quota.spareBytes()) > 0) return;
        const message = `${resource}: the host's disk has been filled up to its reserve meanwhile; free some space, or lower disk.reserveMib in the agent's settings`;
        full.abort(resourceExhausted("DISK_FULL", message, resource));
      };
      const timer = setInterval(() => void look().catch(() => undefined), lookMs);
      try {
        return await work(AbortSignal.any([signal, full.signal]));
      } catch (error) {
        throw full.signal.aborted ? full.signal.reason : error;
      } finally {
        clearInterval(timer);
      }
    },
    spareBytes: () => quota.spareBytes(),
    largestDiskBytes: async () => (await quota.instanceMib()) * bytesPerMib,
  };
}
