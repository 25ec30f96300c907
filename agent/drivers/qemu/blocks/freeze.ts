import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pause } from "../../../../lib/backoff.js";
import { failedPrecondition } from "../../../../lib/errors.js";
import { exists, writeFileAtomic } from "../../../../lib/files.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { DriverInstance } from "../../driver.js";
import type { Machine } from "../machine.js";
import { toldOf } from "../../../host/told.js";

/** A guest's disks may be slow to take what is still to be written. */
const freezeMs = 30_000;
const thawMs = 10_000;
const thawAttempts = 5;
const retryMs = 500;

/**
 * Has the guest's file systems hold still while `work` runs, where its agent can, and go on afterwards whatever happens. That they are
 * frozen is on the disk before they are: an agent that comes after this one thaws them ({@link thawAbandoned}).
 * @returns whether they were frozen, or there were none to freeze.
 */
export async function whileFrozen(
  instance: DriverInstance,
  machine: Machine,
  work: () => Promise<void>,
): Promise<boolean> {
  if (!machine.execReady || (await machine.queryStatus()) !== "running") {
    await work();
    return false;
  }
  await writeFileAtomic(markerOf(instance), "");
  try {
    const frozen = await freeze(machine);
    await work();
    return frozen;
  } finally {
    await thaw(instance, machine);
  }
}

/** Thaws a guest that an earlier agent has left frozen. Resolves to whether there was anything to thaw. */
export async function thawAbandoned(instance: DriverInstance, machine: Machine, waitMs: number): Promise<boolean> {
  if (!(await exists(markerOf(instance)))) return false;
  await machine.waitForAgent(waitMs, uninterrupted);
  await thaw(instance, machine);
  return true;
}

/** Forgets that the guest was frozen: it has been started anew. */
export async function forgetFrozen(instance: DriverInstance): Promise<void> {
  await rm(markerOf(instance), { force: true });
}

/** Whether the guest has done as it was asked: some agents do not know how. */
async function freeze(machine: Machine): Promise<boolean> {
  try {
    const agent = await machine.guestAgent();
    await agent.execute("guest-fsfreeze-freeze", {}, freezeMs);
    return true;
  } catch {
    return false;
  }
}

async function thaw(instance: DriverInstance, machine: Machine): Promise<void> {
  let failure = "";
  for (let attempt = 0; attempt < thawAttempts; attempt += 1) {
    if (attempt > 0) await pause(retryMs, uninterrupted);
    try {
      const agent = await machine.guestAgent();
      await agent.execute("guest-fsfreeze-thaw", {}, thawMs);
      return await forgetFrozen(instance);
    } catch (error) {
      failure = toldOf(error);
      // Whoever does not know how to thaw has not frozen.
      if (/has not been found|not supported|disabled|CommandNotFound|command.*not/i.test(failure)) {
        return await forgetFrozen(instance);
      }
    }
  }
  throw failedPrecondition(
    "GUEST_FROZEN",
    instance.name,
    `${instance.name}: its guest agent was asked to hold its file systems still and does not let them go on (${failure}); reset it if it hangs`,
  );
}

function markerOf({ directory }: DriverInstance): string {
  return join(directory, "frozen");
}
