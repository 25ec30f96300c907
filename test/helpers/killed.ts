import { findIdentity, signalProcess, waitForExit } from "../../lib/process.js";

/**
 * Ends a process as a crash does and waits until nothing of it is left. That its connections have closed does not say so: the kernel
 * closes a dying process's descriptors last first, so that for a moment its sockets still listen, its locks are held and its taps stay.
 */
export async function killed(pid: number): Promise<void> {
  const identity = await findIdentity(pid);
  if (identity === undefined) throw new Error(`process ${pid} does not run`);
  await signalProcess(identity, "SIGKILL");
  if (!(await waitForExit(identity, 60_000))) throw new Error(`process ${pid} outlives SIGKILL`);
}
