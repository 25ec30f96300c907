import { pause } from "../../../lib/backoff.js";
import type { InstanceAccess } from "../../drivers/instance-access.js";
import type { HowMeasured } from "../../figures/sources/instances.js";

const tries = 5;
const againMs = 1000;

/** How an instance that runs is measured, as its driver says. Never rejects: what cannot be found is not measured. */
export async function findHow(access: InstanceAccess, name: string, signal: AbortSignal): Promise<HowMeasured> {
  const id = name.slice(name.lastIndexOf("/") + 1);
  for (let attempt = 0; attempt < tries && !signal.aborted; attempt++) {
    try {
      const { driver, instance, handle } = access.look(id);
      if (handle !== undefined) {
        const place = await driver.measured?.placeOf(instance, handle, { signal });
        if (place !== undefined) return { kind: "place", place };
        const { statistics } = driver.can;
        if (statistics === undefined) return undefined;
        return { kind: "asked", ask: () => statistics.readStatistics(instance, handle, { signal }) };
      }
    } catch {
      // It is found, not made here, or its specification is lost: there is nothing to ask.
    }
    await pause(againMs, signal);
  }
  return undefined;
}
