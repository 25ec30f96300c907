import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { InstanceContext } from "./context.js";
import { type InstanceRecord, toOwner } from "./record.js";

/** Removes interfaces that belong to none of the instances. */
export async function collectGarbage(context: InstanceContext, records: readonly InstanceRecord[]): Promise<void> {
  // Whose interfaces those of an instance without spec are is not known: leave all of them.
  if (records.some(({ specLost }) => specLost)) return;
  // What could not be looked at may well run, and what is being started has no handle yet.
  const owners = records
    .filter(
      ({ handle, observation, activity }) =>
        handle !== undefined || observation.state === "unknown" || activity !== undefined,
    )
    .map(toOwner);
  await context.networks.collectGarbage(owners, { signal: uninterrupted });
}
