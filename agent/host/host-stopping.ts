import { run } from "./exec.js";

/** Whether systemd is shutting the host down. Elsewhere: no. */
export async function isHostStopping(): Promise<boolean> {
  // Its exit code is 0 only for "running".
  const { stdout } = await run("sh", ["-c", "systemctl is-system-running || true"]).catch(() => ({ stdout: "" }));
  return stdout.trim() === "stopping";
}
