import { counted, listed } from "../../../lib/words.js";
import {
  type Instance,
  InstanceState,
  type InstanceStatus,
  instanceStateToJSON,
} from "../../../proto/gen/zor/v1/instance.js";
import { stateStyles, unknownState } from "../../kit/states.js";

/** How an instance's state is shown. */
export const instanceStyle = stateStyles(
  new Map([
    [InstanceState.INSTANCE_STATE_RUNNING, { symbol: "●", word: "running", tone: "good" }],
    [InstanceState.INSTANCE_STATE_STARTING, { symbol: "◐", word: "starting", tone: "busy" }],
    [InstanceState.INSTANCE_STATE_STOPPING, { symbol: "◐", word: "stopping", tone: "busy" }],
    [InstanceState.INSTANCE_STATE_PAUSED, { symbol: "=", word: "paused", tone: "warn" }],
    [InstanceState.INSTANCE_STATE_STOPPED, { symbol: "○", word: "stopped", tone: "dim" }],
    [InstanceState.INSTANCE_STATE_FAILED, { symbol: "✗", word: "failed", tone: "bad" }],
    [InstanceState.INSTANCE_STATE_SUSPENDED, { symbol: "◑", word: "suspended", tone: "warn" }],
    [InstanceState.INSTANCE_STATE_UNKNOWN, unknownState],
  ]),
);

/** "RUNNING", "STOPPED" and so on. */
export function instanceStateName(state: InstanceState): string {
  return instanceStateToJSON(state).replace("INSTANCE_STATE_", "");
}

/** Whether an instance in this state uses its host's CPU and may be talked to. */
export function isUp(state: InstanceState): boolean {
  return (
    state === InstanceState.INSTANCE_STATE_RUNNING ||
    state === InstanceState.INSTANCE_STATE_PAUSED ||
    state === InstanceState.INSTANCE_STATE_STARTING ||
    state === InstanceState.INSTANCE_STATE_STOPPING ||
    state === InstanceState.INSTANCE_STATE_UNKNOWN
  );
}

/** State of an instance as it was heard last. */
export function stateOf({ status }: Instance): InstanceState {
  return status?.state ?? InstanceState.INSTANCE_STATE_UNSPECIFIED;
}

/** What waits for the next start: "needs restart: cpus"; empty: nothing does. */
export function pendingText(status: InstanceStatus | undefined): string {
  const pending = status?.pendingChanges ?? [];
  return pending.length === 0 ? "" : `needs restart: ${listed(pending, 4)}`;
}

/** What comes next of an instance that is started again by itself; empty: nothing does. */
export function restartText(status: InstanceStatus | undefined): string {
  const { count = 0, nextTime, givenUp = false } = status?.restart ?? {};
  if (givenUp) return `given up after ${counted(count, "restart")}`;
  return nextTime === undefined ? "" : `restart ${count + 1} at ${toClock(nextTime)}`;
}

/** A time of day, UTC: the table is drawn again only when something changes. */
function toClock(time: Date): string {
  return `${time.toISOString().slice(11, 19)}Z`;
}
