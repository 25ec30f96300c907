import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { InstanceContext } from "./context.js";
import { awaitRestart, keepEnd, noteFailedRestart, noteFailedStart, tell, trySetLife } from "./ends.js";
import { setObservation } from "./observe.js";
import { start } from "./power.js";
import { type InstanceRecord, notRunning } from "./record.js";
import { toldOf } from "../../host/told.js";

/** Starts an instance whose time has come, unless it waits no more. A start that fails is tried again as its policy says. Never throws. */
export async function startAgain(context: InstanceContext, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  const { life, handle } = record;
  if (life.nextTime === undefined || handle !== undefined || record.activity !== undefined) return;
  // Something works at its disks. It is armed anew when that has ended.
  if (record.claim !== undefined) return;
  // The time stays: an agent that ends before the start is done begins with it again.
  await trySetLife(context, record, { ...life, restarts: life.restarts + 1 });
  tell(context, record, "restarting", `restart ${record.life.restarts}`);
  await startUnasked(context, record, signal);
}

/** Starts an instance because the host has booted. Never throws. */
export async function startAtBoot(
  context: InstanceContext,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<void> {
  if (!record.awaitsBoot || signal.aborted) return;
  if (record.handle === undefined && record.claim !== undefined) {
    // When what works at its disks has ended.
    await trySetLife(context, record, { ...record.life, nextTime: context.now() });
  } else if (record.handle === undefined && record.activity === undefined) {
    tell(context, record, "boot-start", "it is started because the host has booted");
    await startUnasked(context, record, signal);
    if (signal.aborted) return;
  }
  await context.waits.bootDone(record);
}

async function startUnasked(context: InstanceContext, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  try {
    await start(context, record, { signal, caller: "", again: true });
    // One that has ended again by now waits as its policy says.
    if (record.handle === undefined) return;
    await trySetLife(context, record, { ...record.life, nextTime: undefined, givenUp: false, askedBy: undefined });
    context.publish(record);
  } catch (error) {
    // The agent ends: the next one tries.
    if (signal.aborted || (error instanceof ZorError && error.code === status.CANCELLED)) return;
    context.logError(error, `${record.stored.resource.name} could not be started again`);
    noteRefusal(context, record, error);
    noteFailedRestart(context, record);
    await keepEnd(context, record);
    context.publish(record);
    awaitRestart(context, record);
  }
}

/** What is refused is told to whoever asks; here nobody does, and it must be seen why the instance is not there. */
function noteRefusal(context: InstanceContext, record: InstanceRecord, error: unknown): void {
  const reason = `could not be started: ${toldOf(error)}`;
  if (record.handle !== undefined || record.observation.reason === reason) return;
  noteFailedStart(context, record, reason);
  setObservation(context, record, notRunning("failed", reason), "");
}
