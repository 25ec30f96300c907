import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readIfExists } from "../../../lib/files.js";
import { findIdentity, startTimeOf } from "../../../lib/process.js";
import { run } from "../../host/exec.js";
import { endSessionOf } from "../containers/exec-processes.js";
import type { HostCgroups } from "../containers/host-cgroups.js";

/** Removes a group with those below it, in every hierarchy. The kernel keeps groups that have processes. */
const removeGroups = `
for group in /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1"; do
  if [ -d "$group" ]; then find "$group" -depth -type d -exec rmdir {} \\; ; fi
done 2>/dev/null
exit 0
`;

/** Controllers are left to nobody: but where groups are only names, or version 2 sees to it, an init has some of its own. */
const handOver = `
for group in /sys/fs/cgroup/systemd/"$1" /sys/fs/cgroup/unified/"$1" /sys/fs/cgroup/"$1"; do
  for file in . cgroup.procs cgroup.threads cgroup.subtree_control tasks; do
    if [ -e "$group/$file" ]; then chown "$2:$2" "$group/$file"; fi
  done
done
`;

/** Lets the root of a container with users of its own make control groups in its own. @param owner its id outside. */
export async function handOverGroups(cgroups: HostCgroups, containerId: string, owner: number): Promise<void> {
  const [tool = "/bin/sh", ...argv] = [...cgroups.enter, "/bin/sh", "-c", handOver, "zor", containerId, `${owner}`];
  await run(tool, argv);
}

/** Removes the empty control groups that the runtime has left of a container. Idempotent. */
export async function removeControlGroups(cgroups: HostCgroups, containerId: string): Promise<void> {
  if (cgroups.version === "none") return;
  const [tool = "/bin/sh", ...argv] = [...cgroups.enter, "/bin/sh", "-c", removeGroups, "zor", containerId];
  await run(tool, argv);
}

/**
 * Ends the commands that an earlier agent, killed in the middle, ran in a container: nobody reads them any more. Removes their files.
 */
export async function removeExecSessions(directory: string, containerId: string, agentStartMs: number): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  // A command that was to be left running goes on: only how it was started is forgotten.
  const starts = names.filter((each) => /^detached-[0-9a-f]{12}\.(json|pid|log)$/.test(each));
  for (const name of starts) if (await isOlder(join(directory, name), agentStartMs)) await rm(join(directory, name));
  for (const name of names.filter((each) => /^exec-[0-9a-f]{12}\.(json|pid)$/.test(each))) {
    const path = join(directory, name);
    // Those of this agent are in use.
    const file = await stat(path).catch(() => undefined);
    if (file === undefined || file.mtimeMs >= agentStartMs) continue;
    const pid = name.endsWith(".pid") ? Number(await readIfExists(path)) : 0;
    if (pid > 0 && !(await isLater(pid, file.mtimeMs))) await endSessionOf(pid, `/${containerId}`);
    await rm(path, { force: true });
  }
}

async function isOlder(path: string, timeMs: number): Promise<boolean> {
  return ((await stat(path).catch(() => undefined))?.mtimeMs ?? timeMs) < timeMs;
}

/** Whether the process with this pid began after the runtime had told the pid: it is another. Clocks of both are exact to 10 ms. */
async function isLater(pid: number, toldMs: number): Promise<boolean> {
  const identity = await findIdentity(pid);
  const began = identity === undefined ? undefined : await startTimeOf(identity);
  return began !== undefined && began.getTime() > toldMs + 2000;
}
