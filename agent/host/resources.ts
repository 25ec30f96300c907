import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, freemem, loadavg, totalmem } from "node:os";

const bytesPerMib = 1024 * 1024;

/** What of the host is in use. */
export interface HostUsage {
  /** One-minute load average. */
  readonly loadAverage: number;
  readonly memoryAvailableMib: number;
}

/** CPUs and memory of the host. */
export function readLimits(): { readonly cpus: number; readonly memoryMib: number } {
  return { cpus: Math.max(cpus().length, availableParallelism()), memoryMib: Math.floor(totalmem() / bytesPerMib) };
}

/** Load and memory now. */
export async function readUsage(): Promise<HostUsage> {
  const text = await readFile("/proc/meminfo", "utf8").catch(() => "");
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  const memoryAvailableMib = Math.floor(kib === undefined ? freemem() / bytesPerMib : Number(kib) / 1024);
  return { loadAverage: loadavg()[0] ?? 0, memoryAvailableMib };
}
