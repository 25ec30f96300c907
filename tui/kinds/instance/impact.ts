import { listed } from "../../../lib/words.js";
import { type Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { isAdopted, isOnlyShown, notAdoptedText } from "./drivers/libvirt.js";
import { nicsOf } from "./nics.js";
import { instanceStyle, isUp, stateOf } from "./states.js";

/** What changes whether an instance runs. */
export type PowerVerb = "start" | "stop" | "shutdown" | "pause" | "resume" | "reset" | "suspend";

/** What deleting an instance takes with it. */
export function deletingInstance(instance: Instance): string {
  if (isAdopted(instance))
    return `${instanceStyle(stateOf(instance)).word}, and stays so; it is only let go of, its domain and disks stay`;
  const plugged = nicsOf(instance).filter((nic) => nic.lan !== "");
  const unplugged = plugged.length === 0 ? "" : `; ${few(plugged.map((nic) => `${nic.name} leaves ${nic.lan}`))}`;
  return `${instanceStyle(stateOf(instance)).word}; its disks and snapshots go with it${unplugged}`;
}

/** What cutting the power of an instance does. */
export function cuttingPower(instance: Instance): string {
  return `${instanceStyle(stateOf(instance)).word}; what runs inside gets no warning`;
}

/** Why what is asked for with `verb` is not possible in the state the instance is in; undefined when it is. */
export function whyNotPossible(verb: PowerVerb, instance: Instance): string | undefined {
  if (isOnlyShown(instance)) return notAdoptedText(instance);
  const state = stateOf(instance);
  const running = state === InstanceState.INSTANCE_STATE_RUNNING;
  const paused = state === InstanceState.INSTANCE_STATE_PAUSED;
  const possible = {
    start: !isUp(state),
    stop: isUp(state) || isWaiting(instance) || state === InstanceState.INSTANCE_STATE_SUSPENDED,
    shutdown: running,
    pause: running,
    resume: paused,
    reset: running || paused,
    suspend: running || paused,
  };
  return possible[verb] ? undefined : `is ${instanceStyle(state).word}`;
}

/** It is started again by itself, and a stop ends that. */
function isWaiting({ status }: Instance): boolean {
  return status?.restart?.nextTime !== undefined;
}

function few(texts: readonly string[]): string {
  return listed(texts, 3);
}
