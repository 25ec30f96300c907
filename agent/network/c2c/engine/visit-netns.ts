import { closeSync, openSync } from "node:fs";
import { enterNetNamespace } from "./native.js";

/**
 * Does something, which must not wait, in a named net namespace; undefined: the thread's own. Visits the namespace with the calling
 * thread only: to stay there would keep it alive after its deletion. Returns undefined when the namespace is gone.
 */
export function visitNetns<T>(netns: string | undefined, work: () => T): T | undefined {
  if (netns === undefined) return work();
  let there: number;
  try {
    there = openSync(`/run/netns/${netns}`, "r");
  } catch {
    return undefined;
  }
  const home = openSync("/proc/thread-self/ns/net", "r");
  try {
    enterNetNamespace(there);
    return work();
  } finally {
    enterNetNamespace(home);
    closeSync(home);
    closeSync(there);
  }
}
