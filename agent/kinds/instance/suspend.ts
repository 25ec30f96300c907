import { failedPrecondition } from "../../../lib/errors.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { Progress, RecoveryHandle } from "../../drivers/driver.js";
import type { Suspendable } from "../../drivers/abilities/suspendable.js";
import { assertUnclaimed, runningHandle, stateWords, unsupported } from "./action-checks.js";
import type { ActionOptions, InstanceContext } from "./context.js";
import { keepEnd } from "./ends.js";
import { otherEnd } from "./last-end.js";
import { forgetRun, observe, setObservation } from "./observe.js";
import { attempt, during } from "./power.js";
import { type InstanceRecord, notRunning, specOf, toDriverInstance } from "./record.js";
import { newLife } from "./restart-plan.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";

/** @throws {ZorError} FAILED_PRECONDITION unless the instance runs, or is paused, and its driver can suspend. */
export function checkSuspend(record: InstanceRecord): {
  readonly ability: Suspendable;
  readonly handle: RecoveryHandle;
} {
  const handle = runningHandle(record, "be suspended");
  const ability = record.driver.can.suspend;
  if (ability === undefined) throw unsupported(record, "be suspended to disk, only paused");
  assertUnclaimed(record);
  const { state } = record.observation;
  if (state === "running" || state === "paused") return { ability, handle };
  const { name } = record.stored.resource;
  throw failedPrecondition("INSTANCE_NOT_RUNNING", name, `${name} is ${stateWords(record)}, so it cannot be suspended`);
}

/** Keeps the memory of an instance on disk and ends it. On error it runs on. */
export async function suspend(
  context: InstanceContext,
  record: InstanceRecord,
  options: ActionOptions & { readonly progress: Progress },
): Promise<void> {
  const { ability, handle } = checkSuspend(record);
  const { id, resource } = record.stored;
  const spec = specOf(record);
  // Before the memory is whole: what it belongs to must be known then.
  await context.store.writeSuspended(id, resource.name, spec);
  try {
    await during(context, record, "stopping", async () => {
      await attempt(record, "suspend", () => ability.suspend(toDriverInstance(record), handle, options));
      await noteSuspended(context, record, spec, options.caller);
      await forgetRun(context, record);
      setObservation(context, record, notRunning("stopped", ""), options.caller);
    });
  } catch (error) {
    if (!(await ability.isSuspended(toDriverInstance(record)))) await context.store.removeSuspended(id);
    await observe(context, record, { signal: uninterrupted, caller: options.caller });
    throw error;
  }
  const severity = EventSeverity.EVENT_SEVERITY_INFO;
  context.emit({ severity, type: "instance.suspended", resource: resource.name, message: "", caller: options.caller });
}

/** Its memory is on disk. */
export async function noteSuspended(
  context: InstanceContext,
  record: InstanceRecord,
  spec: InstanceSpec,
  caller: string,
): Promise<void> {
  const text = caller === "" ? "it was suspended to disk" : `${caller} suspended it to disk`;
  record.lastEnd = otherEnd("suspended", { text, time: context.now(), requestedBy: caller });
  record.suspended = spec;
  record.life = { ...newLife, askedBy: caller };
  await keepEnd(context, record, notRunning("stopped", ""));
}
