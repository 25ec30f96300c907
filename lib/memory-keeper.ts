import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { libc } from "./libc.js";

/** What a keeper looks at and does. */
export interface Memory {
  /** Memory that the process has in RAM, in bytes. */
  rssBytes(): number;
  /** Part of the time since the last call for which the event loop worked. */
  busy(): number;
  /** Throws garbage away and gives free pages back to the system. */
  giveBack(): void;
}

/** What giving back changed, in bytes. */
export interface GivenBack {
  readonly beforeBytes: number;
  readonly afterBytes: number;
}

const everyMs = 5000;
/** Growth that is worth a pause of some 50 ms. */
const worthBytes = 32 * 1024 * 1024;
/** A loop that works more than this has no time for it. */
const busyAtMost = 0.5;

/**
 * Gives back the memory that a rush has left behind. V8 keeps the pages of a heap that has grown for as long as the machine has memory to
 * spare, and so does the C library's malloc(3) with what TLS and HTTP/2 have freed: neither is a leak, and both stay for days.
 */
export class MemoryKeeper {
  readonly #memory: Memory;
  readonly #onGivenBack: (given: GivenBack) => void;
  #keptBytes: number;
  /** V8 lets go of the pages of a collection only with the next one. */
  #again = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(memory: Memory, onGivenBack: (given: GivenBack) => void = () => undefined) {
    this.#memory = memory;
    this.#onGivenBack = onGivenBack;
    this.#keptBytes = memory.rssBytes();
  }

  /** Looks now and then, until the program ends. */
  start(): void {
    this.#timer ??= setInterval(() => this.look(), everyMs).unref();
  }

  /** Gives back when it is worth it and nobody waits. */
  look(): void {
    const busy = this.#memory.busy();
    const beforeBytes = this.#memory.rssBytes();
    // What is less than was kept was given back by V8 itself.
    this.#keptBytes = Math.min(this.#keptBytes, beforeBytes);
    const hasGrown = beforeBytes - this.#keptBytes >= worthBytes;
    if ((!hasGrown && !this.#again) || busy > busyAtMost) return;
    this.#again = hasGrown;
    this.#memory.giveBack();
    this.#keptBytes = this.#memory.rssBytes();
    this.#onGivenBack({ beforeBytes, afterBytes: this.#keptBytes });
  }
}

const mallocTrim = libc.func("int malloc_trim(size_t pad)") as unknown as (pad: number) => number;

const mallopt = libc.func("int mallopt(int param, int value)") as unknown as (param: number, value: number) => number;
/** M_MMAP_THRESHOLD (malloc.h). */
const mmapThreshold = -3;

/**
 * Has large blocks of memory be mappings of their own, of which only what was written to takes RAM. Each TLS connection keeps a block of
 * 64 KiB to read into, nearly all of which it never needs: from the heap it would be memory that others have used before.
 */
export function mapLargeBlocks(): void {
  mallopt(mmapThreshold, 60 * 1024);
}

/** A collection stops everything for about a millisecond for each MiB that lives: so many are done with in no time. */
const smallHeapBytes = 64 * 1024 * 1024;

/** Whether a collection is worth its pause: where much lives, half of all has to be garbage. V8 collects the rest by itself, beside the program. */
export function isWorthCollecting(heapBytes: number, liveBytes: number): boolean {
  return heapBytes < smallHeapBytes || heapBytes > 2 * liveBytes;
}

/** The memory of this process. */
export function ownMemory(): Memory {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  let last = performance.eventLoopUtilization();
  /** What the last collection left. */
  let liveBytes = 0;
  return {
    rssBytes: () => process.memoryUsage.rss(),
    busy: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    giveBack: () => {
      const { heapUsed } = process.memoryUsage();
      if (typeof collect === "function" && isWorthCollecting(heapUsed, liveBytes)) {
        collect();
        liveBytes = process.memoryUsage().heapUsed;
      }
      mallocTrim(0);
    },
  };
}
