import type { HostCgroups } from "./host-cgroups.js";

/** A directory that was looked at, as it can be recognised in another mount namespace. */
export interface KnownDirectory {
  readonly path: string;
  /** "device:inode", in decimal; nobody else's as long as the directory is held open. */
  readonly id: string;
}

/** Where a container's changes go. */
export type WritableLayer =
  /** A directory of the host: nothing bounds it. */
  | { readonly kind: "directory" }
  /** An ext4 file system in a file: its size is the bound. */
  | { readonly kind: "image"; readonly image: string }
  /** Memory, which also counts towards the container's limit. */
  | { readonly kind: "tmpfs"; readonly sizeMib: number };

/** What to mount as the root filesystem, in a mount namespace that only the container sees. */
export type RootMount =
  | { readonly kind: "none" }
  | {
      readonly kind: "overlay";
      readonly lower: KnownDirectory;
      readonly layer: WritableLayer;
      /** Directory that the layer is in, or is mounted at. */
      readonly writable: string;
      readonly target: string;
    }
  /** A whole root filesystem in a file. */
  | { readonly kind: "image"; readonly image: string; readonly target: string }
  | { readonly kind: "bind"; readonly target: string };

/**
 * The commands that mount must run in one new mount namespace, and nothing but a shell can run one program after another
 * and then become the last. The text is constant; everything variable is a positional parameter.
 * The lower directory is entered first and looked at from inside: what is mounted is where the shell stands, whatever the path means
 * by then. (A descriptor from outside is of no use: overlayfs takes no directory of another mount namespace.)
 */
const script = `set -e
hybrid=$1 kind=$2 target=$3 lower=$4 id=$5 layer=$6 source=$7 writable=$8
shift 8
if [ "$hybrid" = 1 ]; then umount /sys/fs/cgroup/unified; fi
case "$kind" in
  bind) mount --bind "$target" "$target"; mount -o remount,bind,nodev "$target" ;;
  image) mount -t ext4 -o loop,nodev "$source" "$target" ;;
  overlay)
    home=$(pwd -P)
    case "$layer" in
      image) mount -t ext4 -o loop,nodev "$source" "$writable" ;;
      tmpfs) mount -t tmpfs -o "nodev,mode=0700,size=$source" tmpfs "$writable" ;;
    esac
    mkdir -p -m 0755 "$writable/upper" "$writable/work"
    cd -P -- "$lower"
    if [ "$(stat --format=%d:%i .)" != "$id" ]; then
      echo "the directory of the image was replaced while it was being mounted; try again" >&2
      exit 1
    fi
    mount -t overlay -o "nodev,lowerdir=.,upperdir=$writable/upper,workdir=$writable/work" overlay "$target"
    cd -P -- "$home" ;;
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
  const parameters = [cgroups.hybrid ? "1" : "0", ...toParameters(root)];
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

/** Kind, target, lower directory and its id, kind of layer, image or size of it, and where it is. */
function toParameters(root: RootMount): readonly string[] {
  switch (root.kind) {
    case "none":
      return ["none", "", "", "", "", "", ""];
    case "bind":
      return ["bind", root.target, "", "", "", "", ""];
    case "image":
      // Device files of an image stay files.
      return ["image", root.target, "", "", "", root.image, ""];
    case "overlay": {
      const { layer, lower, target, writable } = root;
      return ["overlay", target, lower.path, lower.id, layer.kind, toSource(layer), writable];
    }
  }
}

function toSource(layer: WritableLayer): string {
  switch (layer.kind) {
    case "directory":
      return "";
    case "image":
      return layer.image;
    case "tmpfs":
      return `${layer.sizeMib}m`;
  }
}

function prefix(words: readonly string[], command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  const [first, ...rest] = words;
  return first === undefined ? command : [first, ...rest, ...command];
}
