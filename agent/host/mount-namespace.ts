import { readFile, readlink } from "node:fs/promises";

/**
 * The host's mount namespace, when it is another than ours, as a path for `nsenter --mount=`. `ip netns exec` gives a program a
 * mount namespace of its own, in which names of net namespaces that it makes end with it, and control groups cannot be seen.
 * @returns undefined when we are in it, or it cannot be entered.
 */
export async function findHostMountNamespace(): Promise<string | undefined> {
  const own = await readlink("/proc/self/ns/mnt");
  for (const pid of await candidates()) {
    const path = `/proc/${pid}/ns/mnt`;
    const target = await readlink(path).catch(() => undefined);
    if (target !== undefined) return target === own ? undefined : path;
  }
  return undefined;
}

/** Process 1, and, where it may not be looked at, the kernel's thread daemon, which shares its namespaces. */
async function candidates(): Promise<readonly string[]> {
  const second = await readFile("/proc/2/comm", "utf8").catch(() => "");
  return second.trim() === "kthreadd" ? ["1", "2"] : ["1"];
}
