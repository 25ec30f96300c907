import { failedPrecondition, messageOf, ZorError } from "../../../lib/errors.js";
import { lastWords } from "./bring.js";
import type { Remote } from "./remote.js";
import type { Step } from "./step.js";

/** A change of what a program runs from or with, which stays only when the program is well afterwards. */
export interface Trial {
  readonly remote: Remote;
  /** "zor-agent" or "zor-hub". */
  readonly unit: string;
  /** What it is called where something is wrong with it. */
  readonly resource: string;
  readonly step: Step;
  readonly signal: AbortSignal;
  /** Makes the change and starts the program anew; tells its process id. */
  readonly go: () => Promise<bigint>;
  /** Whether the changed program is well. @throws when it is not. */
  readonly isWell: (pid: bigint) => Promise<unknown>;
  /** Takes the change back and starts the program anew. */
  readonly back: () => Promise<bigint>;
  /** Whether the program of before is well again. @throws when it is not. */
  readonly wasWell: (pid: bigint) => Promise<unknown>;
  /** What taking it back leads to: "rolled back to 0.1.0-…". */
  readonly undone: string;
}

/** "agent" of "zor-agent". */
export const programOf = (unit: string): string => unit.replace("zor-", "");

/**
 * Makes a change, and takes it back by itself when the program is not well. @throws {ZorError} ROLLED_BACK with why, what the program said
 * last, and how it is now; whatever kept it from being judged when ssh was lost or somebody interrupted: the next run goes on.
 */
export async function tryOut(trial: Trial): Promise<void> {
  const { remote, unit, resource, step, signal } = trial;
  const program = programOf(unit);
  try {
    const pid = await trial.go();
    step(`waits for the new ${program} to answer`);
    await trial.isWell(pid);
  } catch (error) {
    if (signal.aborted || (error instanceof ZorError && error.reason.startsWith("SSH_"))) throw error;
    const words = await lastWords(remote, unit);
    step("rolls back");
    const after = await trial
      .back()
      .then(trial.wasWell)
      .then(
        () => "it runs as before",
        (later: unknown) => `and that did not help: ${messageOf(later)}`,
      );
    const said = words === "" ? "" : `; the new ${program} said: ${words}`;
    const message = `${trial.undone}, ${after}, because: ${messageOf(error)}${said}`;
    throw failedPrecondition("ROLLED_BACK", resource, message);
  }
}
