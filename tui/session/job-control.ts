import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";

/** Time in which a process that can be stopped has been. */
const stopWithinMs = 200;

/**
 * Stops this process and its group, as Ctrl-Z does where the terminal takes care of it, until somebody continues it.
 * @returns false when it was not stopped: without a shell that could continue it, the kernel ignores the signal.
 */
export async function stopUntilContinued(): Promise<boolean> {
  let continued = false;
  const onContinue = (): void => {
    continued = true;
  };
  process.once("SIGCONT", onContinue);
  try {
    // Whoever started this program (a shell script, npm) is in the group and must not go on without it.
    process.kill(0, "SIGTSTP");
    await delay(stopWithinMs);
    // The timer is over when the process goes on: only now is the signal that let it go on looked at.
    await nextTurn();
  } finally {
    process.off("SIGCONT", onContinue);
  }
  // A terminal that changed its size meanwhile has told only who was in the foreground.
  if (continued) process.kill(process.pid, "SIGWINCH");
  return continued;
}
