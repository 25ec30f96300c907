import { status } from "@grpc/grpc-js";
import { failedPrecondition, ZorError } from "../../../lib/errors.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { RecoveryHandle } from "../../drivers/driver.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { asFailure } from "../../kit/failure.js";
import { checkPause, checkReset, checkResume, checkShutdown, checkStart, checkStop } from "./action-checks.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import { keepEnd, noteFailedStart, noteStopped, setLife, trySetLife } from "./ends.js";
import { asFailureOf } from "./ended-meanwhile.js";
import { assertMemory } from "./memory-admission.js";
import { assertSameMachine } from "./same-machine.js";
import { forgetRun, keepHandle, observe, setObservation, takeBack } from "./observe.js";
import {
  type Activity,
  type InstanceRecord,
  networkOf,
  notRunning,
  specOf,
  toDriverInstance,
  toOwner,
} from "./record.js";
import { mayRestart, newLife } from "./restart-plan.js";
import { toldOf } from "../../host/told.js";

/**
 * Starts the instance. On error everything that was begun is undone and the reason is kept in its status.
 * @param options.again nobody asked for it: its restarts are counted on.
 */
export async function start(
  context: InstanceContext,
  record: InstanceRecord,
  options: ActionOptions & { readonly again?: boolean },
): Promise<void> {
  checkStart(record);
  assertSameMachine(record);
  await adoptStray(context, record, options);
  const { uid } = record.stored.resource;
  // Until what runs has been looked at: before, it would be told as it was, stopped.
  await during(context, record, "starting", async () => {
    try {
      await assertMemory(context, record);
      context.turns.begin(uid, record.driver.takesMemory === true ? Number(specOf(record).memoryMib ?? 0n) : 0);
      await launch(context, record, options.signal);
    } catch (error) {
      context.turns.end(uid);
      const failure = asFailure(error, record.stored.resource.name, "start");
      if (!leavesStateAlone(failure)) {
        const reason = `could not be started: ${toldOf(failure)}`;
        noteFailedStart(context, record, reason);
        setObservation(context, record, notRunning("failed", reason), options.caller);
        await keepEnd(context, record);
      }
      throw failure;
    }
    if (options.again !== true) {
      await trySetLife(context, record, newLife);
      if (record.awaitsBoot) await context.waits.bootDone(record);
    }
    await observe(context, record, { signal: uninterrupted, caller: options.caller });
  });
}

async function launch(context: InstanceContext, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    record.network = undefined;
    await context.networks.release(toOwner(record), { signal: uninterrupted });
  });
  const isShared = networkOf(record, specOf(record)) !== "";
  const network = isShared
    ? context.shared.forStart(record)
    : await context.networks.prepare(toOwner(record), { signal });
  const handle = await startOrGoOn(record, network, signal);
  undo.defer(() => record.driver.stop(toDriverInstance(record), handle, { signal: uninterrupted }));
  const { id, resource: instance } = record.stored;
  // The next agent would take it for a run that has ended, and perhaps start it again.
  undo.defer(async () => {
    await context.store.removeHandle(id).catch((error: unknown) => {
      context.logError(error, `the handle of ${instance.name}, which was not started, could not be removed`);
    });
  });
  await keepHandle(context, record, handle);
  await context.store.writeEnd(id, instance.name, { state: "stopped", reason: "", end: record.lastEnd });
  record.handle = handle;
  record.network = network;
  undo.move();
  if (record.suspended === undefined) return;
  record.suspended = undefined;
  await context.store.removeSuspended(id).catch((error: unknown) => {
    context.logError(
      error,
      `what ${instance.name} was suspended with could not be removed; the next start of the agent does`,
    );
  });
}

/** A suspended instance goes on from its memory. */
async function startOrGoOn(
  record: InstanceRecord,
  network: InstanceNetwork,
  signal: AbortSignal,
): Promise<RecoveryHandle> {
  const { suspend } = record.driver.can;
  if (record.suspended === undefined || suspend === undefined) {
    return await record.driver.start(toDriverInstance(record), network, { signal });
  }
  return await suspend.resumeSuspended(toDriverInstance(record), network, { signal });
}

/** A process of this instance that the agent does not know must never get a twin. */
async function adoptStray(context: InstanceContext, record: InstanceRecord, options: ActionOptions): Promise<void> {
  if (!(await takeBack(context, record, options.signal))) return;
  await observe(context, record, { signal: options.signal, caller: "" });
  checkStart(record);
}

/** Ends the instance at once. */
export async function stop(context: InstanceContext, record: InstanceRecord, options: ActionOptions): Promise<void> {
  const handle = checkStop(record);
  if (handle === undefined) {
    await waitNoMore(context, record, options);
    return;
  }
  const { life } = record;
  const { spec } = record.stored.resource;
  // An agent that is killed meanwhile must not take it for an end that nobody wanted.
  if (mayRestart(spec) || spec.hostBoot !== undefined)
    await setLife(context, record, { ...newLife, askedBy: options.caller });
  await during(context, record, "stopping", async () => {
    try {
      await attempt(record, "stop", () =>
        record.driver.stop(toDriverInstance(record), handle, { signal: uninterrupted }),
      );
    } catch (error) {
      await trySetLife(context, record, life);
      throw error;
    }
    noteStopped(context, record, options.caller);
    record.life = { ...newLife, askedBy: record.life.askedBy };
    await keepEnd(context, record, notRunning("stopped", ""));
    await forgetRun(context, record);
    setObservation(context, record, notRunning("stopped", ""), options.caller);
  });
}

/** Ends the waiting of an instance for its next start, or throws the memory of a suspended one away. */
async function waitNoMore(context: InstanceContext, record: InstanceRecord, options: ActionOptions): Promise<void> {
  const { suspended } = record;
  if (suspended !== undefined) {
    await attempt(record, "throw away the memory of", async () => {
      await record.driver.can.suspend?.discardSuspended(toDriverInstance(record));
      await context.store.removeSuspended(record.stored.id);
    });
    record.suspended = undefined;
  }
  await setLife(context, record, { ...newLife, askedBy: options.caller });
  if (record.awaitsBoot) await context.waits.bootDone(record);
  context.publish(record);
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type: suspended === undefined ? "instance.restart-cancelled" : "instance.stopped",
    resource: record.stored.resource.name,
    message: suspended === undefined ? "it waits no more to be started" : "its memory was thrown away",
    caller: options.caller,
  });
}

/** Stops the CPUs of a running instance. */
export async function pause(context: InstanceContext, record: InstanceRecord, options: ActionOptions): Promise<void> {
  const { ability, handle } = checkPause(record);
  await attempt(record, "pause", () => ability.pause(toDriverInstance(record), handle, options));
  await observe(context, record, options);
}

/** Continues a paused instance. */
export async function resume(context: InstanceContext, record: InstanceRecord, options: ActionOptions): Promise<void> {
  const { ability, handle } = checkResume(record);
  await attempt(record, "resume", () => ability.resume(toDriverInstance(record), handle, options));
  await observe(context, record, options);
}

/** Resets the instance. */
export async function reset(context: InstanceContext, record: InstanceRecord, options: ActionOptions): Promise<void> {
  const { ability, handle } = checkReset(record);
  const { network } = record;
  const { resource: instance } = record.stored;
  if (network === undefined)
    throw failedPrecondition(
      "NO_NETWORK",
      instance.name,
      `the interfaces of ${instance.name} are not known to the agent; stop it instead`,
    );
  const next = await attempt(record, "reset", () => ability.reset(toDriverInstance(record), handle, network, options));
  record.handle = next;
  await keepHandle(context, record, next);
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type: "instance.reset",
    resource: instance.name,
    message: "",
    caller: options.caller,
  });
  await observe(context, record, options);
}

/** Asks the guest to shut down and returns; the instance shows as stopping until it ends or {@link giveUpShutdown}. */
export async function requestShutdown(
  context: InstanceContext,
  record: InstanceRecord,
  options: ActionOptions & { readonly attempt: number },
): Promise<void> {
  const { ability, handle } = checkShutdown(record);
  // Before it hears: an agent that is killed meanwhile must not take it for an end that nobody wanted.
  if (record.life.askedBy === undefined) await setLife(context, record, { ...record.life, askedBy: options.caller });
  try {
    await attempt(record, "shut down", () => ability.requestShutdown(toDriverInstance(record), handle, options));
  } catch (error) {
    if (options.attempt === 0) await trySetLife(context, record, { ...record.life, askedBy: undefined });
    throw error;
  }
  if (record.activity === "stopping") return;
  record.activity = "stopping";
  context.publish(record);
}

/** Leaves an instance alone that was asked to shut down; nothing when it has ended. */
export async function giveUpShutdown(context: InstanceContext, record: InstanceRecord): Promise<void> {
  const { handle } = record;
  const { shutdown } = record.driver.can;
  if (handle !== undefined && shutdown !== undefined) {
    await shutdown
      .giveUpShutdown(toDriverInstance(record), handle, { signal: uninterrupted })
      .catch((error: unknown) => {
        context.logError(
          error,
          `what asking ${record.stored.resource.name} to shut down changed could not be taken back`,
        );
      });
  }
  if (handle !== undefined) await trySetLife(context, record, { ...record.life, askedBy: undefined });
  if (record.activity !== "stopping") return;
  record.activity = undefined;
  context.publish(record);
}

/** Shows the instance as `activity` while the work runs, which ends with having looked at what became of it. */
export async function during<T>(
  context: InstanceContext,
  record: InstanceRecord,
  activity: Activity,
  work: () => Promise<T>,
): Promise<T> {
  const before = record.activity;
  record.activity = activity;
  context.publish(record);
  try {
    return await work();
  } finally {
    record.activity = before === "stopping" ? undefined : before;
    context.publish(record);
  }
}

/** Does work of a driver; what it throws is told as {@link asFailureOf} has it. */
export async function attempt<T>(record: InstanceRecord, action: string, work: () => Promise<T>): Promise<T> {
  const { handle } = record;
  try {
    return await work();
  } catch (error) {
    throw await asFailureOf(record, handle, { error, action });
  }
}

/** Refusals and cancellations say something about the request, not about the instance. */
function leavesStateAlone(failure: unknown): boolean {
  if (!(failure instanceof ZorError)) return false;
  return [
    status.RESOURCE_EXHAUSTED,
    status.INVALID_ARGUMENT,
    status.FAILED_PRECONDITION,
    status.NOT_FOUND,
    status.CANCELLED,
  ].includes(failure.code);
}
