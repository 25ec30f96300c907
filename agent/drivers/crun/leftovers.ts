import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../host/exec.js";
import type { HostCgroups } from "./host-cgroups.js";

/** Removes a group with those below it, in every hierarchy. The kernel keeps groups that have processes. */
const removeGroups = `
for group in /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1"; do
  if [ -d "$group" ]; then find "$group" -depth -type d -exec rmdir {} \\; ; fi
done 2>/dev/null
exit 0
`;

/** Removes the empty control groups that the runtime has left of a container. Idempotent. */
export async function removeControlGroups(cgroups: HostCgroups, containerId: string): Promise<void> {
  if (cgroups.version === "none") return;
  const [tool = "/bin/sh", ...argv] = [...cgroups.enter, "/bin/sh", "-c", removeGroups, "zor", containerId];
  await run(tool, argv);
}

/** Removes the files of commands that an earlier agent, killed in the middle, ran in a container. */
export async function removeExecFiles(directory: string, agentStartMs: number): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => /^exec-[0-9a-f]{12}\.(json|pid)$/.test(each))) {
    const path = join(directory, name);
    // Those of this agent are in use.
    const file = await stat(path).catch(() => undefined);
    if (file !== undefined && file.mtimeMs < agentStartMs) await rm(path, { force: true });
  }
}
