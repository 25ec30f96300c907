import type { DriverInstance } from "../../driver.js";
import { textOf } from "../json.js";
import type { Machine } from "../machine.js";
import { allNodes, type BlockEngine, ownPrefix } from "./block-engine.js";
import { endJobs } from "./block-jobs.js";
import { lookTag } from "../look/shared-disks.js";
import { deleteFromRunning } from "./machine-snapshots.js";
import { thawAbandoned } from "./freeze.js";

const agentWaitMs = 5000;

/** Ends what an earlier agent left under way at a running machine. Resolves to what was done, for people. */
export async function settleMachine(instance: DriverInstance, machine: Machine): Promise<readonly string[]> {
  const done: string[] = [];
  if (await thawAbandoned(instance, machine, agentWaitMs)) done.push("its file systems go on");
  const jobs = await endJobs(machine);
  if (jobs.length > 0) done.push(`${jobs.length} jobs of its disks were ended`);
  await removeOwnNodes(machine);
  // The state of somebody who looked into the disks.
  await deleteFromRunning(machine, lookTag).catch(() => undefined);
  return done;
}

/** Closes the targets of copies that nobody waits for any more, and their files. */
async function removeOwnNodes(engine: BlockEngine): Promise<void> {
  for (const node of await allNodes(engine)) {
    const name = textOf(node, "node-name");
    if (name.startsWith(ownPrefix)) await engine.execute("blockdev-del", { "node-name": name }).catch(() => undefined);
  }
}
