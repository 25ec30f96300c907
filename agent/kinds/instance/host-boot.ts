import { pause } from "../../../lib/backoff.js";
import { BootStart } from "../../../proto/gen/zor/v1/instance.js";
import { inParallel } from "../../kit/in-parallel.js";
import { type InstanceRecord, networkOf } from "./record.js";
import { hostShutdown } from "./restart-plan.js";

/** Those of one order that are started, or shut down, at the same time. */
const parallel = 4;
/** Orders are whole numbers. */
const afterOwner = 0.5;

/** Whether it ran until the host went down, and nobody had asked for its end. */
export function ranBeforeBoot(
  { life: { askedBy, nextTime } }: Pick<InstanceRecord, "life">,
  { hadHandle }: { readonly hadHandle: boolean },
): boolean {
  if (askedBy !== undefined) return askedBy === hostShutdown;
  return hadHandle || nextTime !== undefined;
}

/** Whether an instance is to be started after a boot of the host; pure. */
export function startsAtBoot(record: InstanceRecord, ran: boolean): boolean {
  if (record.specLost) return false;
  switch (record.stored.resource.spec.hostBoot?.start) {
    case BootStart.BOOT_START_ALWAYS:
      return true;
    case BootStart.BOOT_START_LAST_STATE:
      return ran;
    default:
      return false;
  }
}

/** Instances by their order, the lowest first, those that join the network of another one after that; pure. */
function byOrder(records: readonly InstanceRecord[]): readonly (readonly InstanceRecord[])[] {
  const ownOrder = ({ stored }: InstanceRecord): number => stored.resource.spec.hostBoot?.order ?? 0;
  const orders = new Map(records.map((record) => [record.stored.id, ownOrder(record)]));
  const groups = new Map<number, InstanceRecord[]>();
  for (const record of records) {
    const owner = orders.get(networkOf(record, record.stored.resource.spec));
    const order = owner === undefined ? ownOrder(record) : Math.max(ownOrder(record), owner + afterOwner);
    groups.set(order, [...(groups.get(order) ?? []), record]);
  }
  return [...groups.entries()].toSorted(([left], [right]) => left - right).map(([, group]) => group);
}

/** Starts instances in their order, waiting between orders as they say. Ends with the signal. */
export async function startInOrder(
  records: readonly InstanceRecord[],
  start: (record: InstanceRecord) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let delayMs = 0;
  for (const group of byOrder(records)) {
    if (delayMs > 0) await pause(delayMs, signal);
    if (signal.aborted) return;
    await inParallel(group, parallel, start);
    delayMs = longestDelayMs(group);
  }
}

/** Shuts instances down in the opposite order. */
export async function endInOrder(
  records: readonly InstanceRecord[],
  end: (record: InstanceRecord) => Promise<void>,
): Promise<void> {
  for (const group of byOrder(records).toReversed()) await inParallel(group, parallel * 4, end);
}

function longestDelayMs(group: readonly InstanceRecord[]): number {
  return Math.max(0, ...group.map(({ stored }) => stored.resource.spec.hostBoot?.delaySeconds ?? 0)) * 1000;
}
