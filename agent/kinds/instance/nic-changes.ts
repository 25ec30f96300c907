import { failedPrecondition, notFound } from "../../../lib/errors.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";
import { asFailure } from "../../kit/failure.js";
import { changedSpec } from "../../kit/metadata.js";
import { assertNetworkKnown } from "./action-checks.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import { assertInNoWire, nicName, showCarrier } from "./carriers.js";
import { keepSpecs } from "./keep-specs.js";
import { type InstanceRecord, specOf, toOwner } from "./record.js";

/** Which NIC and which lan. */
export interface NicChange {
  readonly nic: string;
  readonly lan: string;
}

/** @throws {ZorError} NOT_FOUND or FAILED_PRECONDITION if the NIC cannot be plugged into the lan; resolves to the NIC as it shall be. */
export function checkAttach(context: InstanceContext, record: InstanceRecord, change: NicChange): Nic {
  const nic = getNic(record, change.nic);
  assertNetworkKnown(record);
  context.references.assertThere([{ kind: "lan", id: change.lan }]);
  assertInNoWire(context, record.stored.resource.name, [change.nic]);
  if (nic.lan !== "") {
    const name = nicName(record, change.nic);
    throw failedPrecondition("NIC_PLUGGED", name, `${name} is plugged into lan ${nic.lan} already; detach it first`);
  }
  return { ...nic, lan: change.lan };
}

/** @throws {ZorError} NOT_FOUND or FAILED_PRECONDITION if the NIC is not in the lan; resolves to the NIC as it is. */
export function checkDetach(record: InstanceRecord, change: NicChange): Nic {
  const nic = getNic(record, change.nic);
  assertNetworkKnown(record);
  if (nic.lan === change.lan) return nic;
  const name = nicName(record, change.nic);
  const where = nic.lan === "" ? "not plugged in" : `plugged into lan ${nic.lan}`;
  throw failedPrecondition(
    "NIC_NOT_PLUGGED",
    name,
    `${name} is ${where}, so it cannot be detached from lan ${change.lan}`,
  );
}

/** Plugs a NIC into a lan, at once if the instance runs. */
export async function attach(
  context: InstanceContext,
  record: InstanceRecord,
  options: ActionOptions & NicChange,
): Promise<void> {
  const next = checkAttach(context, record, options);
  const nic = getNic(record, options.nic);
  await using undo = new AsyncDisposableStack();
  try {
    if (isThere(record, nic)) {
      undo.defer(() => context.networks.unplug(toOwner(record), next, { signal: uninterrupted }));
      await context.networks.plug(toOwner(record), next, { signal: options.signal });
      undo.defer(() => showCarrier(context, record, [nic], uninterrupted));
      await showCarrier(context, record, [next], options.signal);
    }
    await replaceNic(context, record, { next, caller: options.caller });
  } catch (error) {
    throw asFailure(error, nicName(record, options.nic), "attach");
  }
  undo.move();
  announce(context, record, "instance.nic-attached", options);
}

/** Unplugs a NIC from a lan. */
export async function detach(
  context: InstanceContext,
  record: InstanceRecord,
  options: ActionOptions & NicChange,
): Promise<void> {
  const nic = checkDetach(record, options);
  const next = { ...nic, lan: "" };
  await using undo = new AsyncDisposableStack();
  try {
    if (isThere(record, nic)) {
      undo.defer(() => context.networks.plug(toOwner(record), nic, { signal: uninterrupted }));
      await context.networks.unplug(toOwner(record), nic, { signal: options.signal });
      undo.defer(() => showCarrier(context, record, [nic], uninterrupted));
      await showCarrier(context, record, [next], options.signal);
    }
    await replaceNic(context, record, { next, caller: options.caller });
  } catch (error) {
    throw asFailure(error, nicName(record, options.nic), "detach");
  }
  undo.move();
  announce(context, record, "instance.nic-detached", options);
}

async function replaceNic(
  context: InstanceContext,
  record: InstanceRecord,
  { next, caller }: { readonly next: Nic; readonly caller: string },
): Promise<void> {
  const { stored, running } = record;
  const { spec } = stored.resource;
  const plugged = ({ nics }: InstanceSpec) =>
    nics.map((nic) => (nic.name === next.name ? { ...nic, lan: next.lan } : nic));
  const nics = plugged(spec);
  const changed = changedSpec(stored, { ...spec, nics }, { caller, now: context.now() });
  // What waits for the next start of the same interface goes on waiting.
  await keepSpecs(context, record, {
    changed,
    running: running === undefined ? undefined : { ...running, nics: plugged(running) },
  });
}

/** Whether what runs has the interface: one that was added may wait for the next start. */
function isThere(record: InstanceRecord, { name }: Nic): boolean {
  return record.network !== undefined && specOf(record).nics.some((nic) => nic.name === name);
}

function announce(
  context: InstanceContext,
  record: InstanceRecord,
  type: string,
  options: ActionOptions & NicChange,
): void {
  context.publish(record);
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type,
    resource: nicName(record, options.nic),
    message: `lan ${options.lan}`,
    caller: options.caller,
  });
}

function getNic(record: InstanceRecord, id: string): Nic {
  const nic = record.stored.resource.spec.nics.find(({ name }) => name === id);
  if (nic !== undefined) return nic;
  throw notFound(nicName(record, id), "list the instance's NICs with: zor get instances NAME -o yaml");
}
