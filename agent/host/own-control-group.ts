import { constants, existsSync } from "node:fs";
import { access, readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { ownedGroupPrefix } from "../../lib/owned-process.js";

/** Where version 2 is mounted: alone, or beside version 1. */
const roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/**
 * The directory of this process's own control group of version 2, in which others can be made that are killed as a whole (cgroup.kill, Linux
 * 5.14); undefined where there is none, as behind another network namespace's /sys. What wardens that were killed have left in it is removed.
 */
export async function findOwnControlGroup(): Promise<string | undefined> {
  const lines = await readFile("/proc/self/cgroup", "utf8").catch(() => "");
  const path = /^0::(\/.*)$/m.exec(lines)?.[1];
  if (path === undefined) return undefined;
  for (const root of roots) {
    const directory = join(root, path);
    // The root's group itself has no such file, those below it do.
    if (!existsSync(join(root, "cgroup.controllers"))) continue;
    const isWritable = await access(directory, constants.W_OK).then(
      () => true,
      () => false,
    );
    if (!isWritable) return undefined;
    await sweep(directory);
    return directory;
  }
  return undefined;
}

async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    if (!name.startsWith(ownedGroupPrefix)) continue;
    const isOver = !existsSync(`/proc/${name.slice(ownedGroupPrefix.length)}`);
    // One in which something still runs cannot be removed.
    if (isOver) await rmdir(join(directory, name)).catch(() => undefined);
  }
}
