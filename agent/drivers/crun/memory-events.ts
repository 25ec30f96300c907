import type { HostCgroups } from "../containers/host-cgroups.js";
import { readGroupFile } from "../containers/host-cgroups.js";

/** What happened to a container for lack of memory. */
export interface MemoryEvents {
  /** Processes of it that the kernel ended. */
  readonly kills: number;
  /** It asked for more than its limit. */
  readonly limitReached: boolean;
}

/** Reads them from the control group of a container that has ended or runs; undefined when it has none. */
export async function readMemoryEvents(cgroups: HostCgroups, containerId: string): Promise<MemoryEvents | undefined> {
  if (cgroups.version === "none" || !cgroups.controllers.has("memory")) return undefined;
  const read = (file: string) => readGroupFile(cgroups, "memory", `${containerId}/${file}`);
  const [events, failures] =
    cgroups.version === "v2"
      ? [await read("memory.events"), ""]
      : await Promise.all([read("memory.oom_control"), read("memory.failcnt")]);
  return events === undefined ? undefined : parseMemoryEvents(events, failures ?? "");
}

/**
 * Parses memory.events of version 2, or memory.oom_control of version 1 with memory.failcnt: how often the limit was in the way.
 */
export function parseMemoryEvents(events: string, failures: string): MemoryEvents {
  const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(events)?.[1] ?? "0");
  return { kills: count("oom_kill"), limitReached: count("oom") > 0 || Number(failures) > 0 };
}
