import { randomUUID } from "node:crypto";
import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import type { ResourceId } from "../../../lib/names.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Instance, InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { noDriver } from "../../drivers/absent-driver.js";
import type { DriverInstance, InstanceDriver, Progress } from "../../drivers/driver.js";
import { findDriver, wantedDriver } from "../../drivers/find-driver.js";
import { asFailure } from "../../kit/failure.js";
import { checkMetadata, newStored } from "../../kit/metadata.js";
import type { Use } from "../../kit/references.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import { forgetRun } from "./observe.js";
import { during, start, stop } from "./power.js";
import { type InstanceRecord, notRunning, shortNameOf, toDriverInstance } from "./record.js";
import { newLife } from "./restart-plan.js";
import { checkSpec } from "./spec-check.js";
import { assertNoStateInVolumes } from "./volumes.js";
import type { StoredInstance } from "./stored-instance.js";

/** What a new instance is asked to be. */
export interface NewInstance extends Pick<Instance, "labels" | "annotations" | "spec"> {
  readonly id: ResourceId;
}

/** How a new instance is made. */
export interface BuildOptions {
  /** Do not start it. */
  readonly leaveStopped: boolean;
  /** Fills its disks from something else than its images, once its driver has made them. */
  readonly fill?: ((instance: DriverInstance) => Promise<void>) | undefined;
}

/**
 * Checks everything about a new instance that can be known before it is made and resolves to its record; changes nothing.
 * @throws {ZorError} INVALID_ARGUMENT, NOT_FOUND for an unknown lan, or what the driver says.
 */
export async function planCreation(
  context: InstanceContext,
  wanted: NewInstance,
  { signal, caller }: ActionOptions,
): Promise<InstanceRecord> {
  const name = `hosts/${context.host}/instances/${wanted.id}`;
  if (wanted.spec === undefined) throw invalidFields([{ field: "instance.spec", description: "must be set" }], name);
  const uid = randomUUID();
  const { limits, drivers } = context;
  const { spec, violations } = checkSpec("instance.spec", wanted.spec, { limits, uid, drivers });
  const all = [...checkMetadata("instance", wanted), ...violations];
  if (all.length > 0) throw invalidFields(all, name);
  context.references.assertThere(lansOf(name, spec));
  const driver = driverOf(context, spec, name);
  await driver.validate(spec, { signal });
  const createTime = context.now();
  const placed = driver.placing?.placeDevices(spec, { isNew: true }) ?? spec;
  const { id, labels, annotations } = wanted;
  const common = { labels, annotations, caller, now: createTime, phase: "creating" } as const;
  return {
    stored: newStored<Instance>({ id, name, uid, spec: placed, ...common }),
    driver,
    directory: context.store.driverDirectory(wanted.id),
    specLost: false,
    handle: undefined,
    network: undefined,
    activity: "creating",
    observation: notRunning("stopped", ""),
    observeTime: createTime,
    lastStartTime: undefined,
    lastEnd: undefined,
    life: newLife,
    running: undefined,
    suspended: undefined,
    awaitsBoot: false,
  };
}

/** Writes the planned instance to disk, so that a crash from now on leaves something to undo. */
export async function reserve(context: InstanceContext, record: InstanceRecord): Promise<void> {
  const { stored } = record;
  try {
    await context.store.createDirectory(stored.id, stored.resource.name);
    await context.store.writeSpec(stored);
  } catch (error) {
    await context.store.remove(stored.id);
    throw error;
  }
}

/** Makes a reserved instance and starts it if asked. On error or abort nothing of it is left. */
export async function build(
  context: InstanceContext,
  record: InstanceRecord,
  options: ActionOptions & BuildOptions & { readonly progress: Progress },
): Promise<void> {
  const { name } = record.stored.resource;
  const { signal, progress } = options;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => remove(context, record));
  try {
    progress("preparing", 5);
    await record.driver.create(toDriverInstance(record), {
      signal,
      progress: (step, percent) => progress(step, 5 + percent * 0.75),
    });
    await options.fill?.(toDriverInstance(record));
    signal.throwIfAborted();
    if (!options.leaveStopped) {
      progress("waiting for its turn to start", 80);
      await context.turns.take(record.stored.resource.uid, signal);
      progress("starting", 85);
      await start(context, record, options);
    }
    signal.throwIfAborted();
    await setPhase(context, record, "ready");
  } catch (error) {
    context.turns.end(record.stored.resource.uid);
    throw asFailure(error, name, "create");
  }
  record.activity = undefined;
  undo.move();
  context.publish(record);
  context.emit(event("instance.created", name, options.caller));
}

/** @throws {ZorError} FAILED_PRECONDITION if the instance is protected, or runs and `force` is not set. */
export function checkDelete(
  context: Pick<InstanceContext, "references">,
  record: InstanceRecord,
  force: boolean,
): void {
  const { name, spec } = record.stored.resource;
  if (spec.deleteProtection) {
    const remedy = `take that away first, with: zor set instance ${shortNameOf(record)} --no-protect`;
    throw failedPrecondition("DELETE_PROTECTED", name, `${name} is protected from deletion; ${remedy}`);
  }
  assertNoStateInVolumes(context, record);
  if (record.handle === undefined || force || isOnlyLetGo(record)) return;
  throw failedPrecondition("INSTANCE_RUNNING", name, `${name} is running; stop it first or delete it with force`);
}

/** Deletes an instance. @throws {ZorError} FAILED_PRECONDITION if it is protected, or runs and `force` is not set. */
export async function deleteInstance(
  context: InstanceContext,
  record: InstanceRecord,
  options: ActionOptions & { readonly force: boolean },
): Promise<void> {
  const { name } = record.stored.resource;
  checkDelete(context, record, options.force);
  if (record.handle !== undefined && !isOnlyLetGo(record)) await stop(context, record, options);
  await during(context, record, "deleting", async () => {
    try {
      await setPhase(context, record, "deleting").catch((error: unknown) => {
        // On a full disk deleting must work of all things; the phase only lets a crash in between be finished.
        context.logError(error, `the deletion of ${name} could not be recorded`);
      });
      await remove(context, record);
    } catch (error) {
      throw asFailure(error, name, "delete");
    }
  });
  const message = isOnlyLetGo(record)
    ? "it was only let go of: it runs or stays as it was, and nothing of it was removed"
    : "";
  context.emit({ ...event("instance.deleted", name, options.caller), message });
}

/** What others made is not for us to end or remove. */
function isOnlyLetGo({ driver }: InstanceRecord): boolean {
  return driver.can.discover !== undefined;
}

/** Removes everything of an instance from the host, running or not. */
export async function remove(context: InstanceContext, record: InstanceRecord): Promise<void> {
  const { driver, handle } = record;
  if (handle !== undefined && !isOnlyLetGo(record))
    await driver.stop(toDriverInstance(record), handle, { signal: uninterrupted });
  // What runs on lets go of its interfaces before they are removed.
  if (isOnlyLetGo(record)) await driver.destroy(toDriverInstance(record), { signal: uninterrupted });
  await forgetRun(context, record);
  // Without its spec it is not certain whose instance it was; destroy is idempotent and looks only into its own directory.
  const drivers = record.specLost ? context.drivers : isOnlyLetGo(record) ? [] : [driver];
  for (const each of drivers) await each.destroy(toDriverInstance(record), { signal: uninterrupted });
  await context.store.remove(record.stored.id);
}

/** Writes how far the instance has come. */
export async function setPhase(
  context: InstanceContext,
  record: InstanceRecord,
  phase: StoredInstance["phase"],
): Promise<void> {
  if (record.specLost) return;
  const stored = { ...record.stored, phase };
  await context.store.writeSpec(stored);
  record.stored = stored;
}

/** The lans that the NICs of an instance are in, now or when it is started. */
export function lansOf(name: string, { nics }: InstanceSpec): readonly Use[] {
  const remedy = "create it first, or leave the NIC unplugged";
  return nics
    .filter(({ lan }) => lan !== "")
    .map((nic) => ({ kind: "lan", id: nic.lan, from: `${name}/nics/${nic.name}`, remedy }));
}

/** The lans of all NICs of an instance, plugged now or at the next start. */
export function usesOf({ stored, running }: InstanceRecord): readonly Use[] {
  const { name, spec } = stored.resource;
  return [...lansOf(name, spec), ...(running === undefined ? [] : lansOf(name, running))];
}

function driverOf(context: InstanceContext, spec: InstanceSpec, name: string): InstanceDriver {
  const driver = findDriver(context.drivers, spec);
  if (driver !== undefined) return driver;
  throw noDriver(wantedDriver(spec), name);
}

function event(type: string, resource: string, caller: string) {
  return { severity: EventSeverity.EVENT_SEVERITY_INFO, type, resource, message: "", caller };
}
