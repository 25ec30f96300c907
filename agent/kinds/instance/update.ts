import { isDeepStrictEqual } from "node:util";
import { invalidFields } from "../../../lib/errors.js";
import { nothingToTell } from "../../../lib/events/call-trail.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { listed } from "../../../lib/words.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Instance, InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { Change } from "../../kit/kind.js";
import { type AskedUpdate, isSameSpec, updated } from "../../kit/metadata.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { assertNetworkKnown, assertNotSuspended, assertUnclaimed, specLost } from "./action-checks.js";
import { assertInNoWire, pluggedOf, showCarrier } from "./carriers.js";
import type { InstanceContext } from "./context.js";
import { lansOf } from "./creation.js";
import { asFailureOf } from "./ended-meanwhile.js";
import { trySetLife } from "./ends.js";
import { startsAtBoot } from "./host-boot.js";
import { keepSpecs } from "./keep-specs.js";
import { type InstanceRecord, specOf, toDriverInstance, toInstance, toOwner } from "./record.js";
import { mayRestart } from "./restart-plan.js";
import { checkSpec } from "./spec-check.js";
import { isOwnField, type PlannedChange, planChanges, withLiveChanges } from "./spec-diff.js";
import type { StoredInstance } from "./stored-instance.js";
import { holdVolumes } from "./volumes.js";

/** What an update does. */
interface UpdatePlan {
  readonly changed: StoredInstance;
  /** Fields that differ from what runs, or from what is on disk when nothing does. */
  readonly changes: readonly PlannedChange[];
  /** What runs once those are made that take effect now. */
  readonly live: InstanceSpec;
}

/**
 * Changes labels, annotations and specification, and what runs as far as it can be changed; resolves to the instance as it then is. Runs in
 * the instance's queue. @throws {ZorError} and then nothing has changed.
 */
export async function update(
  context: InstanceContext,
  record: InstanceRecord,
  asked: AskedUpdate<Instance>,
  { validateOnly, caller }: Change,
): Promise<Instance> {
  const { stored } = record;
  const now = context.now();
  const resource = updated(stored, asked, { kind: "instance", changeable: undefined, now });
  if (resource === stored.resource) return unchanged(record);
  if (record.specLost) throw specLost(record, "be changed");
  const plan = await planUpdate(context, record, { ...stored, resource, changedBy: caller });
  if (plan === undefined) return unchanged(record);
  using _held = holdVolumes(context, record, { spec: plan.changed.resource.spec, before: stored.resource.spec });
  if (validateOnly) return toInstance({ ...record, stored: plan.changed, running: runningOf(record, plan) });
  await carryOut(context, record, plan);
  await forgetStarts(context, record);
  context.publish(record);
  const { name } = plan.changed.resource;
  const severity = EventSeverity.EVENT_SEVERITY_INFO;
  context.emit({ severity, type: "instance.changed", resource: name, message: describe(record, plan), caller });
  return toInstance(record);
}

function unchanged(record: InstanceRecord): Instance {
  nothingToTell();
  return toInstance(record);
}

/** Starts that nobody asked for, and that the specification does not want any more, come no more. */
async function forgetStarts(context: InstanceContext, record: InstanceRecord): Promise<void> {
  const { life, awaitsBoot, stored } = record;
  const { spec } = stored.resource;
  if (awaitsBoot && !startsAtBoot(record, true)) await context.waits.bootDone(record);
  if (life.nextTime !== undefined && !mayRestart(spec))
    await trySetLife(context, record, { ...life, nextTime: undefined });
}

/** Undefined: nothing changes. @throws {ZorError} for what cannot be. */
async function planUpdate(
  context: InstanceContext,
  record: InstanceRecord,
  changed: StoredInstance,
): Promise<UpdatePlan | undefined> {
  const { stored, driver, handle } = record;
  const before = stored.resource.spec;
  const { name } = stored.resource;
  const after = settle(context, record, changed.resource.spec);
  const resource = { ...changed.resource, spec: after };
  const isSame = isSameSpec("instance", stored.resource, resource);
  // What was left out has its default, and that is what it was.
  if (isSame && !hasOtherMetadata(stored, changed)) return undefined;
  const isRunning = handle !== undefined;
  const changes = planChanges(driver, { before: isRunning ? specOf(record) : before, after, isRunning });
  const live = handle === undefined ? after : withLiveChanges(specOf(record), after, changes);
  const plan = { changed: { ...changed, resource }, changes, live };
  if (isSame) return plan;
  const asked = planChanges(driver, { before, after, isRunning });
  const refused = asked.flatMap(({ path, timing }) =>
    timing.when === "never"
      ? [{ field: `instance.spec.${path}`, description: `cannot be changed; ${timing.remedy}` }]
      : [],
  );
  if (refused.length > 0) throw invalidFields(refused, name);
  // Work at its disks or its memory goes by what it is made of.
  if (asked.some(({ path }) => !isOwnField(path))) assertUnclaimed(record);
  // A disk that is taken away is gone, so that this could not be taken back.
  if (asked.some(({ path }) => path.endsWith(".disks"))) assertNotSuspended(record);
  context.references.assertThere(lansOf(name, after).filter(({ id }) => !before.nics.some(({ lan }) => lan === id)));
  const isThere = ({ name: id, lan }: Nic) => before.nics.some((nic) => nic.name === id && nic.lan === lan);
  assertInNoWire(context, name, pluggedOf(after.nics.filter((nic) => !isThere(nic))));
  await driver.validate(after, { signal: uninterrupted });
  context.shared.check(context, stored.id, after);
  return plan;
}

function hasOtherMetadata({ resource: before }: StoredInstance, { resource: after }: StoredInstance): boolean {
  const metadata = ({ labels, annotations }: Instance) => JSON.stringify([labels, annotations]);
  return metadata(before) !== metadata(after);
}

/** The wanted specification, checked, with its defaults and with what only the agent says of its parts. @throws {ZorError} */
function settle(context: InstanceContext, record: InstanceRecord, wanted: InstanceSpec | undefined): InstanceSpec {
  const { name, uid, spec: before } = record.stored.resource;
  const { limits, drivers } = context;
  if (wanted === undefined) throw invalidFields([{ field: "instance.spec", description: "must be set" }], name);
  const known = new Map([...before.nics, ...specOf(record).nics].map((nic) => [nic.name, nic]));
  const withMacs = wanted.nics.map((nic) => (nic.mac === "" ? { ...nic, mac: known.get(nic.name)?.mac ?? "" } : nic));
  const checked = checkSpec("instance.spec", { ...wanted, nics: withMacs }, { limits, uid, drivers });
  if (checked.violations.length > 0) throw invalidFields(checked.violations, name);
  const nics = checked.spec.nics.map(
    (nic): Nic => ({ ...nic, deviceAddress: known.get(nic.name)?.deviceAddress ?? "" }),
  );
  const after = { ...checked.spec, nics };
  if (before.driver?.$case !== after.driver?.$case) return after;
  const isLive = record.handle !== undefined;
  const { change } = record.driver.can;
  return (
    change?.settle?.({ before, after, isLive }) ?? record.driver.placing?.placeDevices(after, { isNew: false }) ?? after
  );
}

async function carryOut(context: InstanceContext, record: InstanceRecord, plan: UpdatePlan): Promise<void> {
  const { name } = record.stored.resource;
  const { handle } = record;
  await using undo = new AsyncDisposableStack();
  try {
    const { network, finish } = await apply(context, record, plan, undo);
    const running = runningOf(record, plan);
    const { id } = record.stored;
    const gone = nicsGone(record, plan);
    const owner = toOwner(record);
    // What says otherwise about what runs is overwritten first: an agent that is killed before it is removed would believe it.
    const written = running ?? (record.running === undefined ? undefined : plan.live);
    await keepSpecs(context, record, { changed: plan.changed, running: written });
    record.running = running;
    if (network !== undefined) record.network = network;
    undo.move();
    await finish().catch((error: unknown) => unfinished(context, name, error));
    if (running === undefined)
      await context.store.removeRunning(id).catch((error: unknown) => unfinished(context, name, error));
    for (const nic of gone) {
      await context.networks
        .drop(owner, nic, { signal: uninterrupted })
        .catch((error: unknown) => unfinished(context, name, error));
    }
  } catch (error) {
    throw await asFailureOf(record, handle, { error, action: "change" });
  }
}

/** What was made of a change. */
interface Applied {
  /** The interfaces as they are now; undefined: as they were. */
  readonly network: InstanceNetwork | undefined;
  /** Removes what is left of it, once it is written down. */
  readonly finish: () => Promise<void>;
}

/** Makes what takes effect now. */
async function apply(
  context: InstanceContext,
  record: InstanceRecord,
  { changes, live }: UpdatePlan,
  undo: AsyncDisposableStack,
): Promise<Applied> {
  const finish = async (): Promise<void> => undefined;
  const before = specOf(record);
  const paths = changes
    .filter(({ timing }) => record.handle === undefined || timing.when === "now")
    .map(({ path }) => path);
  if (paths.length === 0) return { network: undefined, finish };
  const network = await applyNics(context, record, live, undo);
  const { change } = record.driver.can;
  if (change === undefined) return { network, finish };
  const whole = { before, after: live, paths, network: network ?? record.network };
  const instance = toDriverInstance(record);
  undo.defer(await change.applyChange(instance, record.handle, whole, { signal: uninterrupted }));
  return { network, finish: async () => await change.finishChange?.(instance, whole) };
}

/** Plugs interfaces that are there elsewhere, and makes those that come. Those that go are there until the guest has let go of them. */
async function applyNics(
  context: InstanceContext,
  record: InstanceRecord,
  live: InstanceSpec,
  undo: AsyncDisposableStack,
): Promise<InstanceNetwork | undefined> {
  const before = specOf(record).nics;
  if (record.handle === undefined || isDeepStrictEqual(live.nics, before)) return undefined;
  assertNetworkKnown(record);
  const owner = toOwner(record);
  for (const next of live.nics) {
    const nic = before.find(({ name }) => name === next.name);
    if (nic === undefined || isDeepStrictEqual(pluggingOf(nic), pluggingOf(next))) continue;
    undo.defer(() => replug(context, record, { from: next, to: nic }));
    await replug(context, record, { from: nic, to: next, nics: live.nics });
  }
  const added = live.nics.filter(({ name }) => !before.some((nic) => nic.name === name));
  if (added.length === 0) return undefined;
  const wider = { ...owner, nics: live.nics };
  for (const nic of added) undo.defer(() => context.networks.drop(wider, nic, { signal: uninterrupted }));
  return await context.networks.prepare(wider, { signal: uninterrupted });
}

/** What of an interface is the network's; its addresses where only they may be sent from. */
function pluggingOf({ lan, portSettings, mac, addresses }: Nic): Partial<Nic> {
  return { lan, portSettings, ...(portSettings?.addressGuard === undefined ? {} : { mac, addresses }) };
}

/** @param change.nics what the interfaces of the instance are to be: those in one bond are plugged as one. */
async function replug(
  context: InstanceContext,
  record: InstanceRecord,
  { from, to, nics = [] }: { readonly from: Nic; readonly to: Nic; readonly nics?: readonly Nic[] },
): Promise<void> {
  const now = toOwner(record);
  const owner = { ...now, nics: now.nics.map((nic) => nics.find(({ name }) => name === nic.name) ?? nic) };
  // In the same lan, only its settings change: no frame is lost for that.
  if (from.lan !== "" && from.lan !== to.lan) await context.networks.unplug(owner, from, { signal: uninterrupted });
  if (to.lan !== "") await context.networks.plug(owner, to, { signal: uninterrupted });
  if (from.lan !== to.lan) await showCarrier(context, record, [to], uninterrupted);
}

/** Interfaces that what runs has no more. */
function nicsGone(record: InstanceRecord, { live }: UpdatePlan): readonly Nic[] {
  if (record.network === undefined) return [];
  return specOf(record).nics.filter(({ name }) => !live.nics.some((nic) => nic.name === name));
}

/** The specification that what runs has, where it is another one than the instance's. */
function runningOf({ handle }: InstanceRecord, { changed, live, changes }: UpdatePlan): InstanceSpec | undefined {
  if (handle === undefined || changes.every(({ timing }) => timing.when === "now")) return undefined;
  const { restart, hostBoot, hostShutdown, deleteProtection } = changed.resource.spec;
  return { ...live, restart, hostBoot, hostShutdown, deleteProtection };
}

function describe({ handle }: InstanceRecord, { changes }: UpdatePlan): string {
  const of = (when: string) => changes.filter(({ timing }) => timing.when === when).map(({ path }) => path);
  if (handle === undefined)
    return listed(
      changes.map(({ path }) => path),
      8,
    );
  const [done, pending] = [of("now"), of("next-start")];
  return [listed(done, 8), pending.length === 0 ? "" : `with the next start: ${listed(pending, 8)}`]
    .filter((text) => text !== "")
    .join("; ");
}

function unfinished(context: InstanceContext, name: string, error: unknown): void {
  context.logError(error, `what a change of ${name} has left over could not be removed; its next start does`);
}
