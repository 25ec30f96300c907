import { describeExit, signalNameOf } from "../containers/exit-words.js";
import type { RunEnd } from "../driver.js";
import type { MemoryEvents } from "./memory-events.js";

/**
 * Why a container ended, for people; "" when there is nothing to say.
 * @param code exit code of its first process as conmon tells it: 128 + n when signal n ended it, or the process said so itself.
 */
export function describeEnd(code: number | undefined, memory: MemoryEvents | undefined, limitMib: number): string {
  const killed = memory !== undefined && memory.kills > 0;
  const how = code === undefined ? "nobody saw how its first process ended" : describeExit(code);
  if (!killed)
    return code === 0 ? "" : code === undefined ? "it ended, and nobody saw how" : `its first process ${how}`;
  const where = memory.limitReached
    ? `it reached its limit of ${limitMib} MiB`
    : `the host was short of memory, not the container with its limit of ${limitMib} MiB`;
  const what = memory.kills === 1 ? "a process" : `${memory.kills} processes`;
  const then = code === undefined ? how : `its first process ${how}`;
  return `out of memory (OOM): ${where}, and the kernel ended ${what} of it with SIGKILL; ${then}`;
}

/** The same for programs; `totalMib` is the host's memory. */
export function toContainerEnd(
  code: number | undefined,
  memory: MemoryEvents | undefined,
  { limitMib, totalMib }: { readonly limitMib: number; readonly totalMib: number },
): RunEnd {
  const signal = code !== undefined && signalNameOf(code - 128) !== undefined ? code - 128 : undefined;
  if (memory !== undefined && memory.kills > 0 && code !== 0) {
    const how = signal === undefined ? (code === undefined ? {} : { exitCode: code }) : { signal };
    return memory.limitReached
      ? { kind: "out-of-memory", limitMib, ...how }
      : { kind: "host-out-of-memory", limitMib: totalMib, ...how };
  }
  if (code === undefined) return { kind: "unknown" };
  if (signal !== undefined) return { kind: "signal", signal };
  return code === 0 ? { kind: "guest-shutdown" } : { kind: "exit-code", exitCode: code };
}
