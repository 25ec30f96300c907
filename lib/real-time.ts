import { checked, libc, NativeMemory } from "./libc.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype next to the cast is what makes it true.
const clockGettime = libc.func("int clock_gettime(int clock, size_t time)") as unknown as (
  clock: number,
  time: number,
) => number;

const CLOCK_REALTIME = 0;
/** struct timespec. */
const time = new NativeMemory(16);

/** Nanoseconds since 1970 by the system's clock, which the kernel gives its frames times of. Date knows milliseconds only. */
export function readRealTime(): bigint {
  checked("clock_gettime", clockGettime(CLOCK_REALTIME, time.address));
  return time.buffer.readBigInt64LE(0) * 1_000_000_000n + time.buffer.readBigInt64LE(8);
}
