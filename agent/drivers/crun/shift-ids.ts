import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "../../../lib/files.js";
import { run } from "../../host/exec.js";
import { idmapProgram } from "./idmap-program.js";
import type { IdRange } from "./user-ranges.js";
import { makeLayerImage } from "./writable-layer.js";

const timeoutMs = 3_600_000;
const bytesPerMib = 1024 * 1024;

/**
 * Copies what was written under ids of one range, shown with those of another, so that the kernel shifts everything that holds ids: owners,
 * access control lists, capabilities of files. All of it is mounted in a mount namespace that ends with the copy. The text is constant;
 * everything variable is a positional parameter. A file system in a file is unmounted before the end: then all of it is in the file.
 */
const script = `set -e
kind=$1 stage=$2 old=$3 new=$4 from=$5 to=$6 size=$7 idmap=$8
mount -t tmpfs -o nodev,mode=0700,size=1m tmpfs "$stage"
mkdir "$stage/old" "$stage/new" "$stage/shifted"
case "$kind" in
  image)
    mount -t ext4 -o loop,nodev "$old" "$stage/old"
    mount -t ext4 -o loop,nodev "$new" "$stage/new"
    ;;
  directory)
    mount --bind -- "$old" "$stage/old"
    mount --bind -- "$new" "$stage/new"
    ;;
esac
if [ -d "$stage/old/upper" ]; then
  mkdir "$stage/new/upper"
  perl -e "$idmap" "$from" "$to" "$size" "$stage/old/upper" "$stage/shifted"
  cp --archive --reflink=auto --sparse=always --one-file-system -- "$stage/shifted/." "$stage/new/upper"
fi
umount "$stage/new"`;

/**
 * Gives what a container has written, copied into a directory of ours, to another range of ids. On error the caller removes the directory.
 * @param directory holds "layer.img" or "layer", or neither when nothing was written.
 */
export async function shiftChanges(
  directory: string,
  { from, to }: { readonly from: IdRange; readonly to: IdRange },
  signal: AbortSignal,
): Promise<void> {
  const stage = join(directory, "stage");
  for (const [kind, name] of [
    ["image", "layer.img"],
    ["directory", "layer"],
  ] as const) {
    const [old, fresh] = [join(directory, name), join(directory, `${name}.shifted`)];
    // The directory beside a file system is where that is mounted, and empty.
    if (!(await exists(old))) continue;
    if (kind === "image") {
      const sizeMib = Math.floor((await stat(old)).size / bytesPerMib);
      await makeLayerImage(fresh, { sizeMib, journal: true, signal });
    } else await mkdir(fresh, { mode: 0o755 });
    await mkdir(stage, { mode: 0o700 });
    const parameters = [kind, stage, old, fresh, `${from.first}`, `${to.first}`, `${to.count}`, idmapProgram];
    const shell = ["/bin/sh", "-c", script, "zor", ...parameters];
    await run("unshare", ["--mount", "--propagation", "private", "--", ...shell], { signal, timeoutMs });
    await rm(stage, { recursive: true });
    await rm(old, { recursive: true });
    await rename(fresh, old);
  }
}
