import { readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { DemoLayout } from "./layout.js";

const root = "/sys/fs/cgroup";
const [attempts, retryMs] = [20, 50];

/** Names of the control groups of the containers that a demo's agents still have on disk. */
export async function findControlGroups(layout: Pick<DemoLayout, "hosts">): Promise<string[]> {
  const names: string[] = [];
  for (const { state } of layout.hosts) {
    const instances = join(state, "instances");
    for (const id of await readdir(instances).catch(() => [])) {
      // The runtime's own description of the container.
      const text = await readFile(join(instances, id, "driver", "config.json"), "utf8").catch(() => "");
      const name = /"cgroupsPath":"\/(zor-[0-9a-f-]+)"/.exec(text)?.[1];
      if (name !== undefined) names.push(name);
    }
  }
  return names;
}

/** Removes these control groups in every hierarchy of `at`; the kernel keeps those that have processes. */
export async function removeControlGroups(names: readonly string[], at = root): Promise<void> {
  const hierarchies = [at, ...(await readdir(at).catch(() => [])).map((name) => join(at, name))];
  for (const name of names) {
    for (const hierarchy of hierarchies) await removeGroup(join(hierarchy, name));
  }
}

async function removeGroup(path: string): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    try {
      return await rmdir(path);
    } catch (error) {
      // What was killed just now leaves its group a moment later.
      if (!(error instanceof Error && "code" in error && error.code === "EBUSY")) return;
      await delay(retryMs);
    }
  }
}
