import { readFileSync } from "node:fs";
import { visitNetns } from "../../../lib/net/visit-netns.js";

const netDevices = "/proc/thread-self/net/dev";

/**
 * Frames that the kernel dropped on their way out, by device, from the text of /proc/net/dev.
 * For a tap these are the frames its reader was too slow for.
 */
export function parseTransmitDrops(text: string): ReadonlyMap<string, number> {
  const drops = new Map<string, number>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    // Eight receive columns, then transmitted bytes, packets, errs, drop.
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    drops.set(line.slice(0, colon).trim(), Number(columns[11] ?? 0));
  }
  return drops;
}

/** Reads them in a named net namespace; undefined: the thread's own. Undefined when they cannot be read now. */
export function readTransmitDrops(netns: string | undefined): ReadonlyMap<string, number> | undefined {
  return visitNetns(netns, () => {
    try {
      return parseTransmitDrops(readFileSync(netDevices, "utf8"));
    } catch {
      // Too many open files.
      return undefined;
    }
  });
}
