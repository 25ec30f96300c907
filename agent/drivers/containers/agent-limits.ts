import { readFile } from "node:fs/promises";
import { type ContainerCapability, capabilitiesInMask } from "./capabilities.js";

/** What the agent's own process may do at most. */
export interface AgentLimits {
  /** Hard limit of open files. */
  readonly openFiles: number;
  /** Hard limit of processes of one user. */
  readonly processes: number;
  /** oom_score_adj of proc(5). */
  readonly oomScoreAdjustment: number;
  /** What it can give on. */
  readonly capabilities: readonly ContainerCapability[];
}

/** Reads them from the kernel: they do not change while the agent runs. */
export async function readAgentLimits(): Promise<AgentLimits> {
  const [limits, adjustment, status] = await Promise.all(
    ["limits", "oom_score_adj", "status"].map((name) => readFile(`/proc/self/${name}`, "utf8")),
  );
  const mask = /^CapPrm:\s*([0-9a-f]+)$/m.exec(status ?? "")?.[1];
  return {
    openFiles: hardLimit(limits ?? "", "open files"),
    processes: hardLimit(limits ?? "", "processes"),
    oomScoreAdjustment: Number(adjustment ?? "0"),
    capabilities: capabilitiesInMask(BigInt(`0x${mask ?? "0"}`)),
  };
}

function hardLimit(limits: string, name: string): number {
  const found = new RegExp(`^Max ${name} +\\S+ +(\\d+|unlimited)`, "m").exec(limits)?.[1];
  return found === undefined || found === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(found);
}
