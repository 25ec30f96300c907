import type { ProcessIdentity } from "../../../lib/process.js";
import { describeOomKill, type OomReason } from "../../host/oom-kill.js";
import { type ProcessExit, signalText } from "../../host/process-exit.js";
import type { RunEnd } from "../driver.js";

/** How a machine came to its end. */
export interface MachineEnd {
  readonly failed: boolean;
  /** For people. */
  readonly reason: string;
  /** Undefined: it was stopped. */
  readonly end: RunEnd | undefined;
}

/** What is known about an end. */
export interface EndFacts {
  /** It was stopped. */
  readonly wanted: boolean;
  /** Its guest was asked to shut down. */
  readonly isAsked?: boolean;
  /** Reason of QMP's event SHUTDOWN, or "guest-panic" or "watchdog"; undefined: QEMU said nothing. */
  readonly shutdownReason: string | undefined;
  /** Undefined: nobody saw it. */
  readonly exit: ProcessExit | undefined;
  /** Last line of QEMU's own messages; "": none. */
  readonly said: string;
  /** Why the kernel ended it, when it was for want of memory. */
  readonly oomKill: OomReason | undefined;
}

const sigkill = 9;
/** QEMU's last words when a signal asked it to end: "terminating on signal 15 from pid 4711 (bash)". */
const terminated = /terminating on signal (\d+)(?: from pid (\d+)(?: \((.*)\))?)?/;

/** Whether QEMU's last words tell that somebody ended it. */
export function saysWhoEndedIt(said: string): boolean {
  return terminated.test(said);
}

/** Says how a machine ended; pure. */
export function toMachineEnd(facts: EndFacts): MachineEnd {
  if (facts.wanted) return { failed: false, reason: "", end: undefined };
  if (facts.oomKill !== undefined) {
    const { text, isHost, limitMib } = facts.oomKill;
    return {
      failed: true,
      reason: `the kernel killed QEMU for want of memory (${signalText(sigkill)}): ${text}`,
      end: { kind: isHost ? "host-out-of-memory" : "out-of-memory", limitMib, signal: sigkill },
    };
  }
  switch (facts.shutdownReason) {
    case "guest-shutdown":
    // A restart ends the machine only when it was asked to shut down.
    case "guest-reset":
      return { failed: false, reason: "the guest shut down", end: { kind: "guest-shutdown" } };
    case "guest-panic":
      return { failed: true, reason: "the guest's kernel panicked", end: { kind: "guest-panic" } };
    case "watchdog":
      return { failed: true, reason: "the guest did not serve its watchdog", end: { kind: "watchdog" } };
    case "host-qmp-quit":
      return { failed: false, reason: "QEMU was told to quit over QMP", end: { kind: "unknown" } };
    case "host-error":
    case "subsystem-reset":
      return {
        failed: true,
        reason: withWords("QEMU ended with an error", facts.said),
        end: { kind: "runtime-error" },
      };
  }
  const asked = terminated.exec(facts.said);
  if (asked !== null) {
    const [, signal, pid, program] = asked;
    const sender =
      pid === undefined ? "" : ` from process ${pid}${program === undefined ? "" : ` (${baseName(program)})`}`;
    return {
      failed: false,
      reason: `QEMU was ended by ${signalText(Number(signal))}${sender}`,
      end: { kind: "signal", signal: Number(signal) },
    };
  }
  switch (facts.exit?.type) {
    case "signal":
      return {
        failed: true,
        reason: withWords(`QEMU was killed by ${signalText(facts.exit.signal)}`, facts.said),
        end: { kind: "signal", signal: facts.exit.signal },
      };
    case "code":
      // QEMU may be gone before its last event has left it.
      if (facts.isAsked === true && facts.exit.code === 0) {
        return { failed: false, reason: "the guest shut down", end: { kind: "guest-shutdown" } };
      }
      return {
        failed: facts.exit.code !== 0,
        reason: withWords(`QEMU ended with exit code ${facts.exit.code}`, facts.said),
        end: { kind: "exit-code", exitCode: facts.exit.code },
      };
    case undefined:
      return {
        failed: true,
        reason: withWords("QEMU ended, and nobody saw how", facts.said),
        end: { kind: "unknown" },
      };
  }
}

/** What a watchdog or a panic has brought about ends like a shutdown that the guest wanted. */
export function strongerReason(before: string | undefined, told: string): string {
  return before === "watchdog" || before === "guest-panic" ? before : told;
}

/** Why the kernel ended a process for want of memory; undefined when something else is known to have ended it. */
export async function findOomReason(
  identity: ProcessIdentity,
  exit: ProcessExit | undefined,
): Promise<OomReason | undefined> {
  if (exit !== undefined && !(exit.type === "signal" && exit.signal === sigkill)) return undefined;
  return await describeOomKill(identity);
}

function withWords(reason: string, said: string): string {
  return said === "" ? reason : `${reason}: ${said}`;
}

/** Clients learn no paths of the host. */
function baseName(program: string): string {
  return program.split("/").at(-1) ?? program;
}
