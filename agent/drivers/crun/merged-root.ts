import { idmapProgram } from "./idmap-program.js";
import type { LowerLayers } from "./mount-namespace.js";
import type { IdRange } from "./user-ranges.js";

/** What the whole root filesystem of a container is made of, for whoever reads it. */
export type MergedRoot =
  | {
      readonly kind: "overlay";
      readonly lower: LowerLayers;
      /** What it has written: in a directory, in a file system in a file, or nothing. */
      readonly changes: { readonly kind: "directory" | "image" | "none"; readonly path: string };
    }
  /** All of it in a file system in a file. */
  | { readonly kind: "image"; readonly path: string }
  | { readonly kind: "directory"; readonly path: string };

/** How the archive of a merged root is made. */
export interface MergeOptions {
  /** Existing directory of ours that is covered by memory meanwhile. */
  readonly stage: string;
  /** File that takes the names of all that is archived; beside it, with ".sizes", what each takes. */
  readonly list: string;
  /** Ids that what it has written has on the disk; in the archive they are those inside. */
  readonly range?: IdRange | undefined;
}

/** Largest list of names: hard links cost a guest next to nothing, and each may have a path of any length. */
const listBytes = 2 ** 30;

/**
 * Everything is mounted in one new mount namespace that ends with tar, and nothing but a shell can run one program after another there. The text
 * is constant; everything variable is a positional parameter. Changes are the uppermost of layers that are only read: nothing is written but the
 * journal of a copied file system. Device files and sockets are left out: images that have any are refused, and a runtime makes its own.
 */
const script = `set -e
kind=$1 stage=$2 list=$3 home=$4 id=$5 names=$6 changes=$7 path=$8 base=$9
shift 9
size=$1 idmap=$2
shift 2
mount -t tmpfs -o nodev,mode=0700,size=1m tmpfs "$stage"
mkdir -m 0755 "$stage/root" "$stage/none" "$stage/changes" "$stage/upper"
case "$kind" in
  image) mount -t ext4 -o loop,nodev "$path" "$stage/root" ;;
  directory) mount --bind -- "$path" "$stage/root" ;;
  overlay)
    upper=
    case "$changes" in
      image) mount -t ext4 -o loop,nodev "$path" "$stage/changes"; upper=$stage/changes/upper ;;
      directory) upper=$path/upper ;;
    esac
    if [ -n "$upper" ] && [ -d "$upper" ]; then
      if [ -n "$base" ]; then
        perl -e "$idmap" "$base" 0 "$size" "$upper" "$stage/upper"
      else
        mount --bind -- "$upper" "$stage/upper"
      fi
    fi
    cd -P -- "$home"
    if [ -n "$id" ] && [ "$(stat --format=%d:%i .)" != "$id" ]; then
      echo "the directory of the image was replaced; try again" >&2
      exit 1
    fi
    mount -t overlay -o "ro,nodev,lowerdir=$stage/upper:$names:$stage/none" overlay "$stage/root"
    ;;
esac
cd -P -- "$stage/root"
# Names alone may take far more than what they name: that ends find.
if ! (ulimit -S -f ${listBytes / 512}; exec find . -xdev ! -type b ! -type c ! -type s -fprint0 "$list" -fprintf "$list.sizes" '%b\\n'); then
  echo "it holds too many files, or what lists them failed" >&2
  exit 1
fi
exec "$@" --null --no-recursion --files-from="$list"`;

/** As what is extracted keeps them (`extractTar`), and no times but that of the last change. */
const tar = [
  ...["tar", "--create", "--file=-", "--format=posix", "--pax-option=delete=atime,delete=ctime"],
  ...["--numeric-owner", "--sparse", "--warning=no-file-ignored"],
  ...["--acls", "--xattrs", "--xattrs-include=security.capability", "--xattrs-include=user.*"],
];

/** The command that writes the archive of a merged root to its output. */
export function archiveCommand(root: MergedRoot, options: MergeOptions): readonly [string, ...string[]] {
  const { stage, list, range } = options;
  const ids = range === undefined ? ["", "", ""] : [`${range.first}`, `${range.count}`, idmapProgram];
  const parameters = [root.kind, stage, list, ...toParameters(root), ...ids];
  const shell = ["/bin/sh", "-c", script, "zor", ...parameters];
  return ["unshare", "--mount", "--propagation", "private", "--", ...shell, ...tar];
}

/** Home of the lower layers, its id, their names, kind of the changes, and where they are. */
function toParameters(root: MergedRoot): readonly string[] {
  if (root.kind !== "overlay") return ["", "", "", "", root.path];
  const { lower, changes } = root;
  return [lower.home, lower.id ?? "", lower.names.join(":"), changes.kind, changes.path];
}
