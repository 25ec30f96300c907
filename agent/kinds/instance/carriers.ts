import type { KeyedQueue } from "../../../lib/keyed-queue.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { nicInWire } from "../../network/wires/wire-ends.js";
import type { InstanceContext } from "./context.js";
import { type InstanceRecord, specOf, toDriverInstance } from "./record.js";
import type { InstanceRecords } from "./records.js";

/** Names of those of these NICs that are in a lan. */
export function pluggedOf(nics: readonly Nic[]): readonly string[] {
  return nics.filter(({ lan }) => lan !== "").map(({ name }) => name);
}

/** @throws {ZorError} FAILED_PRECONDITION for the first of these NICs of an instance that is in a wire. */
export function assertInNoWire({ networks }: InstanceContext, instance: string, nics: readonly string[]): void {
  for (const nic of nics) {
    const name = `${instance}/nics/${nic}`;
    const wire = networks.wires?.holderOf(name) ?? "";
    if (wire !== "") throw nicInWire(name, wire);
  }
}

/** Has a running guest see whether these NICs have carrier, where that is the driver's to show: they are in a lan, or in a wire with somebody at its other end. */
export async function showCarrier(
  { networks }: Pick<InstanceContext, "networks">,
  record: InstanceRecord,
  nics: readonly Nic[],
  signal: AbortSignal,
): Promise<void> {
  const { handle } = record;
  const { carrier } = record.driver;
  if (carrier === undefined || handle === undefined) return;
  for (const { name, lan } of nics) {
    const index = specOf(record).nics.findIndex((nic) => nic.name === name);
    const up = lan !== "" || (networks.wires === undefined ? false : networks.wires.carrierOf(nicName(record, name)));
    // Nobody knows yet, and it has been right until now.
    if (up === undefined) continue;
    await carrier.setCarrier(toDriverInstance(record), handle, { index, up }, { signal });
  }
}

/**
 * Has a guest that goes on from an earlier state see the carrier that its NICs have now in wires: its driver knows of lans alone. Never
 * rejects.
 */
export async function showWires(context: InstanceContext, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  const { wires } = context.networks;
  const inWires = specOf(record).nics.filter(({ name }) => (wires?.holderOf(nicName(record, name)) ?? "") !== "");
  await showCarrier(context, record, inWires, signal).catch((error: unknown) => {
    context.logError(error, `the carrier of ${record.stored.resource.name} could not be shown`);
  });
}

/**
 * From now on has machines see it when the wire that a NIC of theirs is in gives or takes carrier, each once what is done to it is done.
 * Never rejects.
 */
export function followWires(context: InstanceContext, records: InstanceRecords, queue: KeyedQueue): void {
  const show = async (nic: string): Promise<void> => {
    const [, , , id = ""] = nic.split("/");
    const record = records.get(id);
    if (record === undefined) return;
    await queue
      .run(record.stored.resource.name, async () => {
        const nics = specOf(record).nics.filter(({ name }) => nicName(record, name) === nic);
        if (record.network !== undefined) await showCarrier(context, record, nics, uninterrupted);
      })
      .catch((error: unknown) => context.logError(error, `the carrier of ${nic} could not be shown`));
  };
  context.networks.wires?.onCarrier((nic) => void show(nic));
}

export function nicName(record: InstanceRecord, nic: string): string {
  return `${record.stored.resource.name}/nics/${nic}`;
}
