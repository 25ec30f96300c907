import { readFile } from "node:fs/promises";
import type { ProcessIdentity } from "../../../lib/process.js";
import type { InterfaceStatistics } from "../../../proto/gen/zor/v1/statistics_service.js";

const maxInterfaces = 256;

/** The counters of the interfaces in a process's net namespace, but for its own to itself (proc(5), /proc/PID/net/dev). */
export async function readNetStatistics({ pid }: ProcessIdentity): Promise<readonly InterfaceStatistics[]> {
  // One that has just ended has none.
  return parseNetStatistics(await readFile(`/proc/${pid}/net/dev`, "utf8").catch(() => ""));
}

/** Understands the table; pure. */
export function parseNetStatistics(table: string): readonly InterfaceStatistics[] {
  const found = table.split("\n").flatMap((line) => {
    const match = /^\s*([^\s:]{1,15}):\s*(\d[\d\s]*)$/.exec(line);
    const numbers = (match?.[2] ?? "").trim().split(/\s+/).map(BigInt);
    if (match === null || match[1] === "lo" || numbers.length < 12) return [];
    const at = (index: number): bigint => numbers[index] ?? 0n;
    return [
      {
        name: match[1] ?? "",
        rxBytes: at(0),
        rxPackets: at(1),
        rxDropped: at(2) + at(3),
        txBytes: at(8),
        txPackets: at(9),
        txDropped: at(10) + at(11),
      },
    ];
  });
  return found.slice(0, maxInterfaces);
}
