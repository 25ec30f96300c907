import { existsSync } from "node:fs";
import { dirname } from "node:path";

/** Where the settings of a net namespace are. */
const root = "/proc/sys/net";

/**
 * Settings that every net namespace has, though they are the whole machine's: whoever may write to those of a namespace of their own changes the
 * host. Linux keeps the others of that kind from being written there (ensure_safe_net_sysctl); this one has a handler of its own that it does not
 * look into (net/netfilter/nf_hooks_lwtunnel.c), and what was switched on cannot be switched off again.
 */
export const sharedSysctls: readonly string[] = ["net.netfilter.nf_hooks_lwtunnel"];

/**
 * Paths that nobody may write to who may write to a net namespace's settings. One that the kernel does not have now may come with a module
 * while the container runs: then its directory is one of them.
 */
export function sharedSysctlPaths(exists: (path: string) => boolean = existsSync): readonly string[] {
  const paths = sharedSysctls.map((name) => `/proc/sys/${name.replaceAll(".", "/")}`);
  return [...new Set(paths.map((path) => nearest(path, exists)))].filter((path) => path !== root);
}

function nearest(path: string, exists: (path: string) => boolean): string {
  return path === root || exists(path) ? path : nearest(dirname(path), exists);
}
