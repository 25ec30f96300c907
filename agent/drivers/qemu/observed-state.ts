import type { Observation } from "../driver.js";

/** What a run state of QMP's query-status means; pure. Unknown ones of later versions are "unknown", with their name as reason. */
export function toObservedState(runState: string): Pick<Observation, "state" | "reason"> {
  switch (runState) {
    case "running":
      return { state: "running", reason: "" };
    case "paused":
    case "suspended":
      return { state: "paused", reason: "" };
    case "prelaunch":
      return { state: "paused", reason: "it is being started" };
    case "debug":
    case "save-vm":
    case "restore-vm":
    case "finish-migrate":
    case "inmigrate":
    case "postmigrate":
      return { state: "paused", reason: `QEMU is busy: ${runState}` };
    case "shutdown":
      return { state: "stopped", reason: "the guest shut down" };
    case "io-error":
      return { state: "failed", reason: "a disk cannot be written: its CPUs are stopped; make room and resume it" };
    case "internal-error":
    case "guest-panicked":
    case "watchdog":
      return { state: "failed", reason: `QEMU stopped the machine: ${runState}` };
    default:
      return { state: "unknown", reason: `QEMU reports the state ${JSON.stringify(runState)}` };
  }
}

/** Why a machine is called silent, for people. */
export function toSilenceReason(memoryMib: number): string {
  return (
    "it has shown no sign of life since it was started, reset or resumed: nothing on its console, no guest agent, no interface set up, " +
    `next to nothing read from its disks; does its image boot, and with ${memoryMib} MiB of memory?`
  );
}
