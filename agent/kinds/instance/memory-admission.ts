import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import { readUsage } from "../../host/resources.js";
import type { InstanceContext } from "./context.js";
import { type InstanceRecord, specOf } from "./record.js";

/**
 * Refuses to start what the host has no memory for now: it would end by running out, and perhaps take others along. Guests that are booting count
 * with all they may take; those that run, with what they have taken.
 * @throws {ZorError} RESOURCE_EXHAUSTED, naming what there is and what can be done
 */
export async function assertMemory(context: InstanceContext, record: InstanceRecord): Promise<void> {
  const { driver, stored } = record;
  if (driver.takesMemory !== true) return;
  const wanted = Number(specOf(record).memoryMib ?? 0n);
  const { memoryAvailableMib } = await readUsage();
  const left = memoryAvailableMib - context.turns.promisedMib - context.memoryReserveMib;
  if (wanted <= left) return;
  const { name } = stored.resource;
  throw new ZorError({
    reason: "HOST_MEMORY",
    code: status.RESOURCE_EXHAUSTED,
    message:
      `${name} asks for ${wanted} MiB of memory and the host has ${Math.max(0, left)} MiB for it: ${memoryAvailableMib} MiB are available, ` +
      `${context.turns.promisedMib} MiB go to guests that are booting, ${context.memoryReserveMib} MiB stay free; ` +
      "stop other instances, give it less memory, or lower memoryReserveMib in the agent's settings",
    resource: name,
  });
}
