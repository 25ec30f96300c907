import { setTimeout as sleep } from "node:timers/promises";
import { invalidArgument } from "./errors.js";

/** Most bytes a second that may be asked for. */
const maxBytesPerSecond = 2n ** 40n;

/** Bytes a second as they were asked for; 0: as fast as it goes. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function checkRate(bytesPerSecond: bigint, field = "bytes_per_second"): number {
  if (bytesPerSecond >= 0n && bytesPerSecond <= maxBytesPerSecond) return Number(bytesPerSecond);
  throw invalidArgument(field, `is not between 0 and ${maxBytesPerSecond}`);
}

/** Holds a rate. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #began = performance.now();
  #bytes = 0;

  /** @param bytesPerSecond 0: not limited. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits as long as the bytes may take. */
  async after(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    this.#bytes += bytes;
    const dueMs = (1000 * this.#bytes) / this.#bytesPerSecond - (performance.now() - this.#began);
    if (dueMs > 0) await sleep(dueMs, undefined, { signal });
  }
}
