import type { ProcessIdentity } from "../../../lib/process.js";
import { describeOomKill } from "../../host/oom-kill.js";
import { type ProcessExit, signalText } from "../../host/process-exit.js";

/** How a machine came to its end. */
export interface MachineEnd {
  readonly failed: boolean;
  /** For people. */
  readonly reason: string;
}

/** What is known about an end. */
export interface EndFacts {
  /** It was stopped. */
  readonly wanted: boolean;
  /** Reason of QMP's event SHUTDOWN, or "guest-panic"; undefined: QEMU said nothing. */
  readonly shutdownReason: string | undefined;
  /** Undefined: nobody saw it. */
  readonly exit: ProcessExit | undefined;
  /** Last line of QEMU's own messages; "": none. */
  readonly said: string;
  /** Why the kernel ended it, when it was for want of memory. */
  readonly oomKill: string | undefined;
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
  if (facts.wanted) return { failed: false, reason: "" };
  if (facts.oomKill !== undefined) {
    return {
      failed: true,
      reason: `the kernel killed QEMU for want of memory (${signalText(sigkill)}): ${facts.oomKill}`,
    };
  }
  switch (facts.shutdownReason) {
    case "guest-shutdown":
    // A restart ends the machine only when it was asked to shut down.
    case "guest-reset":
      return { failed: false, reason: "the guest shut down" };
    case "guest-panic":
      return { failed: true, reason: "the guest's kernel panicked" };
    case "host-qmp-quit":
      return { failed: false, reason: "QEMU was told to quit over QMP" };
    case "host-error":
    case "subsystem-reset":
      return { failed: true, reason: withWords("QEMU ended with an error", facts.said) };
  }
  const asked = terminated.exec(facts.said);
  if (asked !== null) {
    const [, signal, pid, program] = asked;
    const sender =
      pid === undefined ? "" : ` from process ${pid}${program === undefined ? "" : ` (${baseName(program)})`}`;
    return { failed: false, reason: `QEMU was ended by ${signalText(Number(signal))}${sender}` };
  }
  switch (facts.exit?.type) {
    case "signal":
      return { failed: true, reason: withWords(`QEMU was killed by ${signalText(facts.exit.signal)}`, facts.said) };
    case "code":
      return {
        failed: facts.exit.code !== 0,
        reason: withWords(`QEMU ended with exit code ${facts.exit.code}`, facts.said),
      };
    case undefined:
      return { failed: true, reason: withWords("QEMU ended, and nobody saw how", facts.said) };
  }
}

/** Why the kernel ended a process for want of memory; undefined when something else is known to have ended it. */
export async function findOomReason(
  identity: ProcessIdentity,
  exit: ProcessExit | undefined,
): Promise<string | undefined> {
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
