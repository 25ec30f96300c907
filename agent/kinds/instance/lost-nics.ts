import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { listed } from "../../../lib/words.js";
import { toldOf } from "../../host/told.js";
import { showCarrier } from "./carriers.js";
import type { InstanceContext } from "./context.js";
import { type InstanceRecord, specOf, toDriverInstance, toOwner } from "./record.js";

/** A guest that does not let go of an interface that is dead is asked no more often. */
const attempts = 3;

/**
 * Makes interfaces again that somebody deleted on the host under an instance that runs: a container's with its MAC address and the addresses of
 * the specification, a machine's by taking the dead device from the guest and adding it at the same place of its bus. Resolves to what is
 * still missing, for people; "": nothing.
 */
export async function healNics(context: InstanceContext, record: InstanceRecord, signal: AbortSignal): Promise<string> {
  const { networks } = context;
  const { handle, network: present } = record;
  if (present === undefined || handle === undefined || record.specLost) return "";
  const bare = (await networks.keepFilters?.(present, { signal })) ?? [];
  if (bare.length > 0)
    tellHealed(context, record, `the kernel's filters of ${listed(bare)} were removed and are set again`);
  const lost = networks.findLost?.(toOwner(record)) ?? [];
  if (lost.length === 0) {
    record.healing = undefined;
    return "";
  }
  const healing = record.healing ?? { tried: 0, failure: "" };
  record.healing = healing;
  if (healing.tried >= attempts) return toldLost(lost, healing.failure);
  healing.tried += 1;
  try {
    if (record.driver.network === "tap") await replaceDevices(context, record, { lost, signal });
    else {
      const network = await networks.prepare(toOwner(record), { signal });
      await record.driver.wiring?.connect(toDriverInstance(record), handle, network, { signal });
      record.network = network;
    }
    await showCarrier(context, record, specOf(record).nics, signal);
  } catch (error) {
    signal.throwIfAborted();
    healing.failure = toldOf(error);
    return toldLost(lost, healing.failure);
  }
  const gone = "addresses and routes that the guest had set itself are gone";
  tellHealed(context, record, `${listed(lost)} was deleted on the host and is made again; ${gone}`);
  return "";
}

function tellHealed(context: InstanceContext, record: InstanceRecord, message: string): void {
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_WARNING,
    type: "instance.nic-healed",
    resource: record.stored.resource.name,
    message,
    caller: "",
  });
}

/** A machine holds the deleted tap for as long as it has the device: only another device can have the new one. */
async function replaceDevices(
  { networks }: InstanceContext,
  record: InstanceRecord,
  { lost, signal }: { readonly lost: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  const { devices } = record.driver.can;
  if (devices === undefined) throw new Error("its driver cannot change devices while it runs");
  const indexes = lost.map((name) => specOf(record).nics.findIndex((nic) => nic.name === name));
  // First: a tap that nobody can be given would look as if it were one that is there.
  for (const index of indexes) await devices.unplugNic(toDriverInstance(record), { index }, { signal });
  const network = await networks.prepare(toOwner(record), { signal });
  record.network = network;
  for (const index of indexes) await devices.plugNic(toDriverInstance(record), { index, network }, { signal });
}

function toldLost(lost: readonly string[], why: string): string {
  return `${listed(lost)} was deleted on the host, and could not be made again while it runs (${why}); stop and start it`;
}
