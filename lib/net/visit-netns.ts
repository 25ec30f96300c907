import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { SystemCallError } from "../libc.js";
import { enterNetNamespace } from "./socket-calls.js";

/**
 * Does something, which must not wait, in a named net namespace; undefined: the thread's own. Visits the namespace with the calling
 * thread only: to stay there would keep it alive after its deletion. Returns undefined when the namespace is gone, or cannot be
 * visited now because there are too many open files: no thread that moves frames may end for that.
 */
export function visitNetns<T>(netns: string | undefined, work: () => T): T | undefined {
  if (netns === undefined) return work();
  const there = openIfPossible(`/run/netns/${netns}`);
  if (there === undefined) return undefined;
  const home = openIfPossible("/proc/thread-self/ns/net");
  if (home === undefined) {
    closeSync(there);
    return undefined;
  }
  try {
    if (!enterIfPossible(there)) return undefined;
    return work();
  } finally {
    enterNetNamespace(home);
    closeSync(home);
    closeSync(there);
  }
}

/** False: the file is not, or no more, what a namespace is mounted on: somebody has unmounted it, and the name is left. */
function enterIfPossible(fd: number): boolean {
  try {
    enterNetNamespace(fd);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === constants.errno.EINVAL) return false;
    throw error;
  }
}

function openIfPossible(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined;
  }
}
