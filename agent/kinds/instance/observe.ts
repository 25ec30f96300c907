import { uninterrupted } from "../../../lib/uninterrupted.js";
import { HealthState } from "../../../proto/gen/zor/v1/crun.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Observation, ObservedState, RecoveryHandle } from "../../drivers/driver.js";
import type { InstanceContext } from "./context.js";
import { awaitRestart, keepEnd, noteEnd, trySetLife } from "./ends.js";
import { healNics } from "./lost-nics.js";
import { showCarrier } from "./carriers.js";
import { hasEnded, type InstanceRecord, networkOf, specOf, toDriverInstance, toOwner } from "./record.js";
import { ranWell } from "./restart-plan.js";
import { toldOf } from "../../host/told.js";

/**
 * Reads the instance's state from its runtime and tells watchers and the event log what changed. An instance that ended
 * loses its interfaces and handle. Runs in the instance's queue.
 * @param caller who caused a change that is found; "" when nobody did.
 */
export async function observe(
  context: InstanceContext,
  record: InstanceRecord,
  options: { readonly signal: AbortSignal; readonly caller: string },
): Promise<void> {
  const { signal } = options;
  // What could not be looked at when it was adopted is looked for again.
  if (record.handle === undefined && record.observation.state === "unknown") await tryTakeBack(context, record, signal);
  let observation = await inspect(record, signal);
  if (record.handle === undefined && !hasEnded(observation.state)) {
    if (await tryTakeBack(context, record, signal)) observation = await inspect(record, signal);
  }
  if (observation.successor !== undefined) await followSuccessor(context, record, observation.successor);
  const justEnded = record.handle !== undefined && hasEnded(observation.state);
  if (!justEnded) observation = withKnownEnd(record, observation);
  else {
    noteEnd(context, record, observation);
    // Before its handle goes: an agent that is killed in between looks at the end once more.
    await keepEnd(context, record, observation);
    await forgetRun(context, record);
  }
  const reason = await restoreNetwork(context, record, signal);
  setObservation(context, record, reason === "" ? observation : { ...observation, reason }, options.caller);
  if (justEnded) awaitRestart(context, record);
  else await forgetRestarts(context, record);
}

/** One that has run well is as good as one that was never restarted. */
async function forgetRestarts(context: InstanceContext, record: InstanceRecord): Promise<void> {
  const { life, lastStartTime, handle, stored } = record;
  if (life.restarts === 0 || handle === undefined || lastStartTime === undefined) return;
  const ranMs = context.now().getTime() - lastStartTime.getTime();
  if (!ranWell(stored.resource.spec.restart, ranMs)) return;
  await trySetLife(context, record, { ...life, restarts: 0 });
  context.publish(record);
}

/** Writes the handle of a running instance. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
export async function keepHandle(
  context: InstanceContext,
  record: InstanceRecord,
  handle: RecoveryHandle,
): Promise<void> {
  const { id, resource: instance } = record.stored;
  const stored = { uid: instance.uid, kind: record.driver.kind, handle, bootId: context.boot.id };
  await context.store.writeHandle(id, instance.name, stored);
}

/** Looks for a process of the instance that the agent does not know and takes it up; false when there is none. */
export async function takeBack(
  context: InstanceContext,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<boolean> {
  const handle = await record.driver.recover(toDriverInstance(record), undefined, { signal });
  if (handle === undefined) return false;
  record.handle = handle;
  await keepHandle(context, record, handle).catch((error: unknown) => {
    context.logError(error, `the handle of ${record.stored.resource.name} could not be written`);
  });
  return true;
}

/** Like {@link takeBack}; what cannot be looked at is left for the next observation. */
async function tryTakeBack(context: InstanceContext, record: InstanceRecord, signal: AbortSignal): Promise<boolean> {
  try {
    return await takeBack(context, record, signal);
  } catch (error) {
    signal.throwIfAborted();
    context.logError(error, `${record.stored.resource.name} could not be looked for`);
    return false;
  }
}

/** Somebody restarted it behind the agent's back: what runs is taken up in place of what ran, and gets the interfaces back. */
async function followSuccessor(
  context: InstanceContext,
  record: InstanceRecord,
  successor: RecoveryHandle,
): Promise<void> {
  const { name } = record.stored.resource;
  record.handle = successor;
  record.network = undefined;
  await keepHandle(context, record, successor).catch((error: unknown) => {
    context.logError(error, `the handle of ${name} could not be written`);
  });
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_WARNING,
    type: "instance.restarted",
    resource: name,
    message: "somebody else restarted it on its host",
    caller: "",
  });
}

/** Makes the interfaces known of an instance that runs without them, because they could not be restored when it was adopted; resolves to why not. */
async function restoreNetwork(context: InstanceContext, record: InstanceRecord, signal: AbortSignal): Promise<string> {
  if (record.handle === undefined) return "";
  if (networkOf(record, specOf(record)) !== "") return await findShared(context, record);
  if (record.network !== undefined) return await healNics(context, record, signal);
  if (record.specLost) return "";
  try {
    const network = await context.networks.prepare(toOwner(record), { signal });
    await record.driver.wiring?.connect(toDriverInstance(record), record.handle, network, { signal });
    // An agent that was killed between a change of a NIC and showing it to the guest.
    await showCarrier(context, record, specOf(record).nics, signal);
    record.network = network;
    return "";
  } catch (error) {
    signal.throwIfAborted();
    return `its interfaces could not be restored: ${toldOf(error)}`;
  }
}

/** Looks whether the net namespace of another instance that it is in is still that one's; resolves to why not. */
async function findShared(context: InstanceContext, record: InstanceRecord): Promise<string> {
  const hadNetwork = record.network !== undefined;
  const found = await context.shared.look(record);
  record.network = found.network;
  if (found.network !== undefined) return "";
  if (hadNetwork) {
    context.emit({
      severity: EventSeverity.EVENT_SEVERITY_WARNING,
      type: "instance.network-lost",
      resource: record.stored.resource.name,
      message: `it ${found.reason}`,
      caller: "",
    });
  }
  return found.reason;
}

/** Records an observation and tells watchers and the event log of it. */
export function setObservation(
  context: InstanceContext,
  record: InstanceRecord,
  observation: Observation,
  caller: string,
): void {
  const { state: before, isSilent: wasSilent = false, health: healthBefore } = record.observation;
  record.observation = observation;
  record.observeTime = context.now();
  record.lastStartTime = observation.startTime ?? record.lastStartTime;
  context.publish(record);
  const after = record.observation.state;
  tellOfSilence(context, record, wasSilent);
  tellOfHealth(context, record, healthBefore?.state);
  if (before === after) return;
  context.emit({
    severity: severityOf(after),
    type: eventType(before, after),
    resource: record.stored.resource.name,
    message: record.observation.reason,
    caller,
  });
}

/** A guest that does not boot runs like any other: its silence is an event of its own. */
function tellOfSilence(context: InstanceContext, record: InstanceRecord, wasSilent: boolean): void {
  const { isSilent = false, state, reason } = record.observation;
  if (isSilent === wasSilent || (!isSilent && state !== "running")) return;
  context.emit({
    severity: isSilent ? EventSeverity.EVENT_SEVERITY_WARNING : EventSeverity.EVENT_SEVERITY_INFO,
    type: isSilent ? "instance.silent" : "instance.alive",
    resource: record.stored.resource.name,
    message: isSilent ? reason : "it shows signs of life",
    caller: "",
  });
}

/** What a health check says is told when it changes; that a container has none, or ends, is no news of it. */
function tellOfHealth(context: InstanceContext, record: InstanceRecord, before: HealthState | undefined): void {
  const { health } = record.observation;
  const isBad = health?.state === HealthState.HEALTH_STATE_UNHEALTHY;
  if (health === undefined || health.state === before) return;
  if (!isBad && health.state !== HealthState.HEALTH_STATE_HEALTHY) return;
  context.emit({
    severity: isBad ? EventSeverity.EVENT_SEVERITY_WARNING : EventSeverity.EVENT_SEVERITY_INFO,
    type: isBad ? "instance.unhealthy" : "instance.healthy",
    resource: record.stored.resource.name,
    message: isBad ? `its health check failed ${health.failures} times in a row: ${health.output.trim()}` : "",
    caller: "",
  });
}

/** A runtime forgets how an instance ended as soon as it is gone; the record does not. */
function withKnownEnd(record: InstanceRecord, observation: Observation): Observation {
  const saysNothing = record.handle === undefined && observation.state === "stopped" && observation.reason === "";
  return saysNothing && hasEnded(record.observation.state) ? record.observation : observation;
}

/** Removes what only a running instance has: its interfaces and its handle. Never throws; what could not be removed is logged. */
export async function forgetRun(context: InstanceContext, record: InstanceRecord): Promise<void> {
  const owner = toOwner(record);
  record.handle = undefined;
  record.running = undefined;
  try {
    await context.store.removeHandle(record.stored.id);
    await context.networks.release(owner, { signal: uninterrupted });
    record.network = undefined;
  } catch (error) {
    context.logError(
      error,
      `cleaning up after ${record.stored.resource.name} failed; the next start of the agent tries again`,
    );
  }
}

async function inspect(record: InstanceRecord, signal: AbortSignal): Promise<Observation> {
  try {
    const observation = await record.driver.inspect(toDriverInstance(record), record.handle, { signal });
    return record.specLost ? { ...observation, reason: lostReason } : observation;
  } catch (error) {
    signal.throwIfAborted();
    const reason = `cannot be observed: ${toldOf(error)}`;
    return { ...record.observation, state: record.handle === undefined ? record.observation.state : "unknown", reason };
  }
}

/** Why an instance is shown without its specification. */
export const lostReason =
  "its specification was damaged on disk and is set aside; it can be stopped and deleted, then created anew";

function severityOf(state: ObservedState): EventSeverity {
  if (state === "failed") return EventSeverity.EVENT_SEVERITY_ERROR;
  return state === "unknown" ? EventSeverity.EVENT_SEVERITY_WARNING : EventSeverity.EVENT_SEVERITY_INFO;
}

function eventType(before: ObservedState, after: ObservedState): string {
  switch (after) {
    case "running":
      return before === "paused" ? "instance.resumed" : before === "unknown" ? "instance.observed" : "instance.started";
    case "paused":
      return "instance.paused";
    case "stopped":
      return "instance.stopped";
    case "failed":
      return "instance.failed";
    case "unknown":
      return "instance.unknown";
  }
}
