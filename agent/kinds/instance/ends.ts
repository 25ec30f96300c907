import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Observation } from "../../drivers/driver.js";
import type { InstanceContext } from "./context.js";
import { type LastEnd, otherEnd, toLastEnd } from "./last-end.js";
import type { InstanceRecord } from "./record.js";
import { type Life, planRestart } from "./restart-plan.js";

/** Takes note of how a run has ended, and plans what comes next. On disk it is with {@link keepEnd}. */
export function noteEnd(context: InstanceContext, record: InstanceRecord, observation: Observation): void {
  const now = context.now();
  record.lastEnd = toLastEnd(observation, { time: now, requestedBy: record.life.askedBy });
  const { lastStartTime } = record;
  const ranMs = lastStartTime === undefined ? undefined : now.getTime() - lastStartTime.getTime();
  record.life = plan(record, { failed: observation.state === "failed", ranMs, now });
}

/** The same of a start without anybody asking for it that has failed. */
export function noteFailedRestart(context: InstanceContext, record: InstanceRecord): void {
  record.life = plan(record, { failed: true, ranMs: undefined, now: context.now() });
}

/** Takes note that it could not be started; what follows is for whoever asked to say. */
export function noteFailedStart(context: InstanceContext, record: InstanceRecord, text: string): void {
  record.lastEnd = otherEnd("start-failed", { text, time: context.now() });
}

function plan(record: InstanceRecord, run: Parameters<typeof planRestart>[2]): Life {
  // Whoever lost its specification can start nothing.
  if (record.specLost) return { ...record.life, nextTime: undefined };
  return planRestart(record.stored.resource.spec.restart, record.life, run);
}

/** Keeps on disk why the instance does not run and what comes next, for the time after the agent's next start. Never throws. */
export async function keepEnd(
  context: InstanceContext,
  record: InstanceRecord,
  { state, reason }: Pick<Observation, "state" | "reason"> = record.observation,
): Promise<void> {
  const { id, resource: instance } = record.stored;
  const end = { state: state === "failed" ? ("failed" as const) : ("stopped" as const), reason, end: record.lastEnd };
  try {
    await context.store.writeEnd(id, instance.name, end);
    await context.store.writeLife(id, instance.name, record.life);
  } catch (error) {
    context.logError(error, `how ${instance.name} ended could not be written`);
  }
}

/** Has the planned restart come, and tells of it; nothing when there is none. */
export function awaitRestart(context: InstanceContext, record: InstanceRecord): void {
  const { life, stored, lastEnd } = record;
  context.waits.arm(record);
  const why = lastEnd?.text ?? "";
  const most = stored.resource.spec.restart?.maxRestarts ?? 0;
  if (life.nextTime !== undefined) {
    const seconds = Math.max(0, Math.round((life.nextTime.getTime() - context.now().getTime()) / 100) / 10);
    const which = `restart ${life.restarts + 1}${most === 0 ? "" : ` of ${most}`}`;
    tell(context, record, "restart-waiting", `it is started again in ${seconds} s (${which}): ${why}`);
  } else if (life.givenUp) {
    const remedy = "start it with: zor start";
    tell(
      context,
      record,
      "restart-given-up",
      `it is not started again after ${life.restarts} restarts; ${remedy}: ${why}`,
    );
  }
}

/** Changes what is kept of its restarts. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full; nothing has changed then. */
export async function setLife(context: InstanceContext, record: InstanceRecord, life: Life): Promise<void> {
  await context.store.writeLife(record.stored.id, record.stored.resource.name, life);
  record.life = life;
  context.waits.arm(record);
}

/** Like {@link setLife}; what could not be written is logged, and holds while this agent lives. */
export async function trySetLife(context: InstanceContext, record: InstanceRecord, life: Life): Promise<void> {
  await setLife(context, record, life).catch((error: unknown) => {
    context.logError(error, `the restarts of ${record.stored.resource.name} could not be written`);
    record.life = life;
    context.waits.arm(record);
  });
}

/** An event about the restarts of an instance. */
export function tell(context: InstanceContext, record: InstanceRecord, what: string, message: string): void {
  context.emit({
    severity: EventSeverity.EVENT_SEVERITY_WARNING,
    type: `instance.${what}`,
    resource: record.stored.resource.name,
    message,
    caller: "",
  });
}

/** The end of a run that was stopped. */
export function noteStopped(context: InstanceContext, record: InstanceRecord, caller: string): LastEnd {
  const end = otherEnd("requested", { text: stoppedText(caller), time: context.now(), requestedBy: caller });
  record.lastEnd = end;
  return end;
}

function stoppedText(caller: string): string {
  return caller === "" ? "it was stopped" : `${caller} stopped it`;
}
