import { visitNetns } from "../../../lib/net/visit-netns.js";
import { readOnce } from "../kept-file.js";

/** What the kernel counts at a device: "in" is what came from what is behind it. */
export interface DeviceCounters {
  readonly inBytes: number;
  readonly inFrames: number;
  readonly outBytes: number;
  readonly outFrames: number;
  readonly drops: number;
  readonly errors: number;
}

/** A device with the line that was read of it last. */
interface Known {
  readonly line: string;
  readonly counters: DeviceCounters;
}

/** The counters of all devices of the lans' net namespace, from one file (proc(5), /proc/net/dev). */
export class Devices {
  readonly #netns: string | undefined;
  #known = new Map<string, Known>();

  /** @param netns undefined: the agent's own. */
  constructor(netns: string | undefined) {
    this.#netns = netns;
  }

  /** Reads them; of a device whose line is the same nothing is understood anew. */
  read(): void {
    // An open file would keep a namespace that has been deleted.
    this.take(visitNetns(this.#netns, () => readOnce("/proc/thread-self/net/dev")) ?? "");
  }

  /** Understands the table. */
  take(table: string): void {
    const known = new Map<string, Known>();
    for (const line of table.split("\n")) {
      const colon = line.indexOf(":");
      if (colon === -1) continue;
      const name = line.slice(0, colon).trim();
      const before = this.#known.get(name);
      if (before?.line === line) known.set(name, before);
      else known.set(name, { line, counters: countersOf(line.slice(colon + 1)) });
    }
    this.#known = known;
  }

  find(device: string): DeviceCounters | undefined {
    return this.#known.get(device)?.counters;
  }
}

function countersOf(text: string): DeviceCounters {
  const numbers = text.trim().split(/\s+/).map(Number);
  const at = (index: number): number => numbers[index] ?? 0;
  return {
    ...{ inBytes: at(0), inFrames: at(1), outBytes: at(8), outFrames: at(9) },
    ...{ drops: at(3) + at(11), errors: at(2) + at(10) },
  };
}
