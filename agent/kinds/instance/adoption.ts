import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { AbsentDriver } from "../../drivers/absent-driver.js";
import type { DriverInstance, InstanceDriver, Observation, RecoveryHandle } from "../../drivers/driver.js";
import { emptySpec, findDriver, wantedDriver } from "../../drivers/find-driver.js";
import { newStored } from "../../kit/metadata.js";
import type { InstanceContext } from "./context.js";
import { remove, setPhase } from "./creation.js";
import { awaitRestart, keepEnd, noteEnd, trySetLife } from "./ends.js";
import { ranBeforeBoot, startsAtBoot } from "./host-boot.js";
import type { LoadedInstance } from "./instance-store.js";
import { otherEnd } from "./last-end.js";
import { noteSuspended } from "./suspend.js";
import { forgetRun, keepHandle, lostReason, observe } from "./observe.js";
import { type InstanceRecord, notRunning, toDriverInstance } from "./record.js";
import { newLife } from "./restart-plan.js";
import type { StoredHandle, StoredInstance } from "./stored-instance.js";
import { toldOf } from "../../host/told.js";

const unseen = "while the agent was not running";

/** How instances are taken up. */
export interface AdoptionOptions {
  readonly signal: AbortSignal;
  /** The host has booted since an agent of it ran last. */
  readonly isNewBoot: boolean;
}

/**
 * Takes up one instance after the agent was restarted: finds what runs, restores its interfaces, finishes a deletion or
 * undoes a creation that was cut short. Starts nothing. Resolves to undefined when the instance is gone now. Never throws:
 * an instance that cannot be looked at is kept as UNKNOWN.
 */
export async function adopt(
  context: InstanceContext,
  loaded: LoadedInstance,
  { signal, isNewBoot }: AdoptionOptions,
): Promise<InstanceRecord | undefined> {
  const record = await toRecord(context, loaded, signal);
  const { name } = record.stored.resource;
  for (const damage of loaded.damage) report(context, "instance.file-damaged", name, damage);
  try {
    return await takeUp(context, record, { saved: loaded.handle, signal, isNewBoot });
  } catch (error) {
    const reason = `could not be adopted: ${toldOf(error)}`;
    context.logError(error, `${name} ${reason}`);
    record.handle = record.handle ?? loaded.handle?.handle;
    record.observation = { ...record.observation, state: "unknown", reason };
    report(context, "instance.not-adopted", name, reason);
    context.publish(record);
    return record;
  }
}

async function takeUp(
  context: InstanceContext,
  record: InstanceRecord,
  { saved, signal, isNewBoot }: AdoptionOptions & { readonly saved: StoredHandle | undefined },
): Promise<InstanceRecord | undefined> {
  const { name } = record.stored.resource;
  // Another process may have the pid of one that ended with the host.
  const known = hasRebooted(context, saved) ? undefined : saved?.handle;
  const handle = record.handle ?? (await recover(record, known, signal));
  const { phase } = record.stored;
  record.handle = handle;
  await findSuspended(context, record, saved);
  if (phase === "deleting" || (phase === "creating" && handle === undefined)) {
    await remove(context, record);
    report(
      context,
      phase === "deleting" ? "instance.deleted" : "instance.create-undone",
      name,
      "cut short by a restart",
    );
    return undefined;
  }
  if (handle === undefined) {
    // Which of them are started when the host has booted is not for their restarts to say.
    const endedWithHost = hasRebooted(context, saved) || (saved === undefined && isNewBoot);
    if (endedWithHost)
      record.awaitsBoot = startsAtBoot(record, ranBeforeBoot(record, { hadHandle: saved !== undefined }));
    if (saved !== undefined && record.suspended === undefined) await takeEnd(context, record, saved, signal);
    else if (endedWithHost && record.life.nextTime !== undefined) await trySetLife(context, record, newLife);
    await forgetRun(context, record);
    if (saved !== undefined) {
      const { state, reason } = record.observation;
      report(context, state === "failed" ? "instance.failed" : "instance.stopped", name, reason);
      if (!endedWithHost) awaitRestart(context, record);
    }
    context.publish(record);
    return record;
  }
  const { life } = record;
  if (life.nextTime !== undefined) await trySetLife(context, record, { ...life, nextTime: undefined });
  await keepRunning(context, record, handle, signal);
  return record;
}

/** @throws {ZorError} FAILED_PRECONDITION when this agent does not have the instance's driver. */
async function recover(
  record: InstanceRecord,
  known: RecoveryHandle | undefined,
  signal: AbortSignal,
): Promise<RecoveryHandle | undefined> {
  // Of an instance without spec every driver was asked; one that this agent does not have may still run it.
  if (record.specLost && record.driver.kind === "") return undefined;
  return record.driver.recover(toDriverInstance(record), known, { signal });
}

/** Whether its memory is on disk, as the file about it says: an agent may have been killed in the middle of either. */
async function findSuspended(
  context: InstanceContext,
  record: InstanceRecord,
  saved: StoredHandle | undefined,
): Promise<void> {
  const { suspended: spec, handle, driver, stored } = record;
  if (spec === undefined) return;
  const isWhole = handle === undefined && (await driver.can.suspend?.isSuspended(toDriverInstance(record))) === true;
  if (!isWhole) {
    record.suspended = undefined;
    await context.store.removeSuspended(stored.id);
  } else if (saved !== undefined) {
    await noteSuspended(context, record, spec, record.life.askedBy ?? "");
  }
}

/** Takes note of the end of a run that nobody observed. */
async function takeEnd(
  context: InstanceContext,
  record: InstanceRecord,
  saved: StoredHandle,
  signal: AbortSignal,
): Promise<void> {
  record.observation = await findEnd(context, record, saved, signal);
  if (hasRebooted(context, saved)) {
    const { askedBy } = record.life;
    const time = context.boot.time ?? context.now();
    const text = record.observation.reason;
    record.lastEnd = otherEnd("host-restart", {
      text,
      time,
      ...(askedBy === undefined ? {} : { requestedBy: askedBy }),
    });
    record.life = newLife;
  } else noteEnd(context, record, record.observation);
  await keepEnd(context, record);
}

/** How a run ended that nobody observed: with the host, or as its driver can still find out. */
async function findEnd(
  context: InstanceContext,
  record: InstanceRecord,
  saved: StoredHandle,
  signal: AbortSignal,
): Promise<Observation> {
  if (hasRebooted(context, saved)) {
    const { time } = context.boot;
    const when = time === undefined ? "" : ` at ${time.toISOString().replace(/\.\d+Z$/, "Z")}`;
    return notRunning("stopped", `the host was restarted${when} while it ran; start it again with: zor start`);
  }
  try {
    const { state, reason, end } = await record.driver.inspect(toDriverInstance(record), saved.handle, { signal });
    if (reason !== "") return { ...notRunning(state === "failed" ? "failed" : "stopped", `${reason}, ${unseen}`), end };
    if (end !== undefined) return { ...notRunning("stopped", `ended ${unseen}`), end };
  } catch (error) {
    signal.throwIfAborted();
    context.logError(error, `how ${record.stored.resource.name} ended could not be found out`);
  }
  return notRunning("stopped", `ended ${unseen}`);
}

/** Whether a handle was written in another run of the host's kernel than the one that is now. */
export function hasRebooted({ boot }: Pick<InstanceContext, "boot">, saved: StoredHandle | undefined): boolean {
  return saved?.bootId !== undefined && saved.bootId !== "" && boot.id !== "" && saved.bootId !== boot.id;
}

async function keepRunning(
  context: InstanceContext,
  record: InstanceRecord,
  handle: RecoveryHandle,
  signal: AbortSignal,
): Promise<void> {
  const { resource: instance, phase } = record.stored;
  await keepHandle(context, record, handle).catch((error: unknown) =>
    context.logError(error, `the handle of ${instance.name} could not be written`),
  );
  if (phase === "creating") await setPhase(context, record, "ready");
  await observe(context, record, { signal, caller: "" });
}

async function toRecord(
  context: InstanceContext,
  loaded: LoadedInstance,
  signal: AbortSignal,
): Promise<InstanceRecord> {
  const directory = context.store.driverDirectory(loaded.id);
  const { stored } = loaded;
  const base = {
    directory,
    handle: undefined,
    network: undefined,
    activity: undefined,
    observeTime: context.now(),
    lastStartTime: undefined,
    lastEnd: loaded.end?.end,
    life: loaded.life ?? newLife,
    running: loaded.running,
    suspended: loaded.suspended,
    awaitsBoot: false,
  };
  if (stored !== undefined) {
    const { spec } = stored.resource;
    const driver = findDriver(context.drivers, spec) ?? new AbsentDriver(wantedDriver(spec));
    return {
      ...base,
      stored: await recordPlaces(context, stored, driver),
      driver,
      specLost: false,
      observation: notRunning(loaded.end?.state ?? "stopped", loaded.end?.reason ?? ""),
    };
  }
  const found = await findLost(context, loaded, signal);
  const lost = newStored<Instance>({
    ...{ id: loaded.id, name: `hosts/${context.host}/instances/${loaded.id}`, uid: found.instance.uid },
    ...{ spec: found.instance.spec, labels: {}, annotations: {}, caller: "", now: context.now(), phase: "ready" },
  });
  return {
    ...base,
    stored: { ...lost, resource: { ...lost.resource, createTime: undefined, updateTime: undefined } },
    driver: found.driver,
    specLost: true,
    handle: found.handle,
    observation: notRunning("failed", lostReason),
  };
}

/**
 * Records where the devices are of an instance that an earlier agent made, which knew no addresses. What could not be written comes
 * out the same at the next start.
 */
async function recordPlaces(
  context: InstanceContext,
  stored: StoredInstance,
  driver: InstanceDriver,
): Promise<StoredInstance> {
  const spec = driver.placing?.placeDevices(stored.resource.spec, { isNew: false });
  if (spec === undefined || spec === stored.resource.spec) return stored;
  const placed = { ...stored, resource: { ...stored.resource, spec } };
  await context.store.writeSpec(placed).catch((error: unknown) => {
    context.logError(error, `the devices' addresses of ${stored.resource.name} could not be recorded`);
  });
  return placed;
}

/** Asks the drivers, the one the handle names first, for what runs of an instance whose spec is lost. */
async function findLost(
  context: InstanceContext,
  loaded: LoadedInstance,
  signal: AbortSignal,
): Promise<{ driver: InstanceDriver; instance: DriverInstance; handle: RecoveryHandle | undefined }> {
  const { handle: saved } = loaded;
  const candidates = context.drivers.toSorted(
    (left, right) => Number(right.kind === saved?.kind) - Number(left.kind === saved?.kind),
  );
  for (const driver of candidates) {
    const instance = lostInstance(context, loaded, driver);
    const known = driver.kind === saved?.kind ? saved.handle : undefined;
    const handle = await driver.recover(instance, known, { signal }).catch((error: unknown) => {
      context.logError(error, `driver ${driver.kind} could not look for ${loaded.id}`);
      return undefined;
    });
    if (handle !== undefined) return { driver, instance, handle };
  }
  const driver = candidates.find(({ kind }) => kind === saved?.kind) ?? new AbsentDriver(saved?.kind ?? "");
  return { driver, instance: lostInstance(context, loaded, driver), handle: undefined };
}

function lostInstance(context: InstanceContext, loaded: LoadedInstance, driver: InstanceDriver): DriverInstance {
  return {
    name: `hosts/${context.host}/instances/${loaded.id}`,
    id: loaded.id,
    uid: loaded.handle?.uid ?? `lost-${loaded.id}`,
    spec: emptySpec(driver),
    directory: context.store.driverDirectory(loaded.id),
  };
}

function report(context: InstanceContext, type: string, resource: string, message: string): void {
  context.emit({ severity: EventSeverity.EVENT_SEVERITY_WARNING, type, resource, message, caller: "" });
}
