import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import type { Row } from "../row.js";

/** What can be asked of a resource with one key. */
export type Verb = "start" | "stop" | "pause" | "resume" | "reset" | "delete";

/** Something asked for and not yet seen to happen. */
export interface Pending {
  readonly verb: Verb;
  readonly sinceMs: number;
  /** The resource when it was asked. */
  readonly before: Row;
}

/** Longest time to wait for the event before the row says that none came. */
export const pendingTimeoutMs = 30_000;

const goals: Readonly<Record<Exclude<Verb, "delete" | "reset">, InstanceState>> = {
  start: InstanceState.INSTANCE_STATE_RUNNING,
  stop: InstanceState.INSTANCE_STATE_STOPPED,
  pause: InstanceState.INSTANCE_STATE_PAUSED,
  resume: InstanceState.INSTANCE_STATE_RUNNING,
};

/** Whether a new version of a row shows that what was asked has happened, or has failed for good. */
export function isSettled(pending: Pending, row: Row): boolean {
  if (row.kind !== "instances" || pending.before.kind !== "instances") return false;
  const status = row.resource.status;
  const before = pending.before.resource.status;
  if (status === undefined || pending.verb === "delete") return false;
  const failed = InstanceState.INSTANCE_STATE_FAILED;
  if (status.state === failed && before?.state !== failed) return true;
  if (pending.verb === "reset") return status.startTime?.getTime() !== before?.startTime?.getTime();
  return status.state === goals[pending.verb];
}
