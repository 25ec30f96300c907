import type { KnownPath } from "../containers/host-access.js";
import type { HostCgroups } from "../containers/host-cgroups.js";
import { idmapProgram } from "./idmap-program.js";
import type { IdRange } from "./user-ranges.js";

/** What is below a container's changes. */
export interface LowerLayers {
  /** Directory that the layers are named from. */
  readonly home: string;
  /** Set when the home is the only layer, and somebody may exchange it: who it is. */
  readonly id?: string;
  /** Paths of the layers from there, the uppermost first. */
  readonly names: readonly string[];
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
      readonly lower: LowerLayers;
      readonly layer: WritableLayer;
      /** Directory that the layer is in, or is mounted at. */
      readonly writable: string;
      readonly target: string;
    }
  /** A whole root filesystem in a file. */
  | { readonly kind: "image"; readonly image: string; readonly target: string }
  | { readonly kind: "bind"; readonly target: string };

/** What else is mounted for a container. */
export interface MoreMounts {
  /** Files and directories of the host, shown as "{stage}/0" and so on. */
  readonly binds: readonly KnownPath[];
  /** Existing directory for them. Of a container with a range it is covered by memory, in which also the root is, as "root". */
  readonly stage: string;
  /** Ids of the container's root and other users outside. */
  readonly range?: IdRange | undefined;
  /** Control group for it in the hierarchy that is taken away: an init mounts that again, and would be where the agent is. Default: none. */
  readonly group?: string | undefined;
}

/** Where a container with a range has its root, whichever it is: its own directories let nobody pass who is not root outside. */
export const openStage = "/mnt";

/**
 * The commands that mount must run in one new mount namespace, and nothing but a shell can run one program after another
 * and then become the last. The text is constant; everything variable is a positional parameter.
 * A directory of an image is entered first and looked at from inside: what is mounted is where the shell stands, whatever the path means
 * by then. The lower layers of a container with a range are shown with its ids; the upper one has them on disk, since overlayfs works there
 * as root, whom a shifted file system does not know. What is bound is looked at when it is bound. (A descriptor from outside is of no use: no file system takes a directory of
 * another mount namespace.)
 */
const script = `set -e
hybrid=$1 kind=$2 target=$3 lower=$4 id=$5 names=$6 layer=$7 source=$8 writable=$9
shift 9
stage=$1 base=$2 size=$3 idmap=$4 count=$5 group=$6
shift 6
replaced() { echo "$1 was replaced while it was being mounted; try again" >&2; exit 1; }
if [ "$hybrid" = 1 ] && [ -n "$group" ]; then
  mkdir -p "/sys/fs/cgroup/unified/$group"
  echo $$ > "/sys/fs/cgroup/unified/$group/cgroup.procs"
fi
if [ "$hybrid" = 1 ]; then umount /sys/fs/cgroup/unified; fi
index=0
if [ -n "$base" ]; then
  mount -t tmpfs -o nodev,mode=0755,size=1m tmpfs "$stage"
  mkdir "$stage/root"
  target=$stage/root
fi
while [ "$index" -lt "$count" ]; do
  if [ -d "$1" ]; then mkdir -p "$stage/$index"; else : > "$stage/$index"; fi
  mount --bind -- "$1" "$stage/$index"
  if [ "$(stat --format=%d:%i "$stage/$index")" != "$2" ]; then replaced "a mount's source"; fi
  shift 2
  index=$((index + 1))
done
home=$(pwd -P)
case "$kind" in
  bind) mount --bind "$target" "$target"; mount -o remount,bind,nodev "$target" ;;
  image) mount -t ext4 -o loop,nodev "$source" "$target" ;;
  overlay)
    case "$layer" in
      image) mount -t ext4 -o loop,nodev "$source" "$writable" ;;
      tmpfs) mount -t tmpfs -o "nodev,mode=0700,size=$source" tmpfs "$writable" ;;
    esac
    mkdir -p -m 0755 "$writable/upper" "$writable/work"
    cd -P -- "$lower"
    if [ -n "$id" ] && [ "$(stat --format=%d:%i .)" != "$id" ]; then replaced "the directory of the image"; fi
    if [ -n "$base" ]; then
      chown "$base:$base" "$writable/upper"
      shifted=
      index=0
      IFS=:
      for name in $names; do
        mkdir "$stage/lower$index"
        perl -e "$idmap" 0 "$base" "$size" "$name" "$stage/lower$index"
        shifted=\${shifted:+$shifted:}lower$index
        index=$((index + 1))
      done
      unset IFS
      cd -P -- "$stage"
      names=$shifted
    fi
    mount -t overlay -o "nodev,lowerdir=$names,upperdir=$writable/upper,workdir=$writable/work" overlay "$target" ;;
esac
cd -P -- "$home"
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
  options: { readonly cgroups: HostCgroups; readonly root: RootMount; readonly more?: MoreMounts | undefined },
): readonly [string, ...string[]] {
  const { cgroups, root, more } = options;
  if (!cgroups.hybrid && root.kind === "none") return prefix(cgroups.enter, command);
  const parameters = [cgroups.hybrid ? "1" : "0", ...toParameters(root), ...toMore(more)];
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

/** Kind, target, home of the lower layers, its id, their names, kind of the upper layer, image or size of it, and where it is. */
function toParameters(root: RootMount): readonly string[] {
  switch (root.kind) {
    case "none":
      return ["none", "", "", "", "", "", "", ""];
    case "bind":
      return ["bind", root.target, "", "", "", "", "", ""];
    case "image":
      // Device files of an image stay files.
      return ["image", root.target, "", "", "", "", root.image, ""];
    case "overlay": {
      const { layer, lower, target, writable } = root;
      const names = lower.names.join(":");
      return ["overlay", target, lower.home, lower.id ?? "", names, layer.kind, toSource(layer), writable];
    }
  }
}

/** Stage, range, the program that shifts ids, the number of binds, the control group, and each bind. */
function toMore(more: MoreMounts | undefined): readonly string[] {
  if (more === undefined) return ["", "", "", "", "0", ""];
  const { stage, range, binds, group = "" } = more;
  const ids = range === undefined ? ["", "", ""] : [`${range.first}`, `${range.count}`, idmapProgram];
  return [stage, ...ids, `${binds.length}`, group, ...binds.flatMap(({ path, id }) => [path, id])];
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
