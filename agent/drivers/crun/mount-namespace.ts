import type { HostCgroups } from "./host-cgroups.js";

/** What to mount as the root filesystem, in a mount namespace that only the container sees. */
export type RootMount =
  | { readonly kind: "none" }
  | {
      readonly kind: "overlay";
      readonly lower: string;
      readonly upper: string;
      readonly work: string;
      readonly target: string;
    }
  | { readonly kind: "bind"; readonly target: string };

/**
 * The commands that mount must run in one new mount namespace, and nothing but a shell can run one program after another
 * and then become the last. The text is constant; everything variable is a positional parameter.
 */
const script = `set -e
hybrid=$1 options=$2 target=$3
shift 3
if [ "$hybrid" = 1 ]; then umount /sys/fs/cgroup/unified; fi
case "$options" in
  '') ;;
  bind) mount --bind "$target" "$target"; mount -o remount,bind,nodev "$target" ;;
  *) mount -t overlay -o "$options" overlay "$target" ;;
esac
exec "$@"`;

/** Overlay options are separated by commas, lower directories by colons. */
export function canOverlay(paths: readonly string[]): boolean {
  return paths.every((path) => !/[,:\\]/.test(path));
}

/**
 * Wraps a command so that it runs in a private mount namespace: without the cgroup hierarchy that crun refuses, and with the
 * container's root filesystem mounted. The mounts end with the last process in it, whatever becomes of the agent.
 */
export function inMountNamespace(
  command: readonly [string, ...string[]],
  options: { readonly cgroups: HostCgroups; readonly root: RootMount },
): readonly [string, ...string[]] {
  const { cgroups, root } = options;
  if (!cgroups.hybrid && root.kind === "none") return prefix(cgroups.enter, command);
  const parameters = [cgroups.hybrid ? "1" : "0", mountOptions(root), root.kind === "none" ? "" : root.target];
  return prefix(
    [
      ...cgroups.enter,
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "--",
      "/bin/sh",
      "-c",
      script,
      "zor",
      ...parameters,
    ],
    command,
  );
}

function mountOptions(root: RootMount): string {
  switch (root.kind) {
    case "none":
      return "";
    case "bind":
      return "bind";
    case "overlay":
      // Device files of an image stay files.
      return `nodev,lowerdir=${root.lower},upperdir=${root.upper},workdir=${root.work}`;
  }
}

function prefix(words: readonly string[], command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  const [first, ...rest] = words;
  return first === undefined ? command : [first, ...rest, ...command];
}
