import { lstat, opendir, rm } from "node:fs/promises";
import { join } from "node:path";
import { checked, libc } from "../../../lib/libc.js";

/** How overlayfs says what a layer takes away (kernel: Documentation/filesystems/overlayfs): a 0:0 device, and this attribute. */
const opaqueAttribute = "trusted.overlay.opaque";
const characterDevice = 0o020000;
/** Names in a layer that mean something is gone (OCI image specification, "Image Layer Filesystem Changeset"). */
const [whiteoutPrefix, opaqueName] = [".wh.", ".wh..wh..opq"];

// koffi types every function as (...args: any[]) => any; the C prototype in each line is what makes the casts true.
const mknod = libc.func("int mknod(const char *path, uint mode, ulong device)") as unknown as (
  path: string,
  mode: number,
  device: number,
) => number;
const setAttribute = libc.func(
  "int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)",
) as unknown as (path: string, name: string, value: Buffer, size: number, flags: number) => number;
const getAttribute = libc.func(
  "long lgetxattr(const char *path, const char *name, void *value, size_t size)",
) as unknown as (path: string, name: string, value: Buffer, size: number) => number;

/**
 * Turns what a layer of an image says is gone into what overlayfs understands. The layer was extracted into a directory where nobody
 * else writes; no link in it is followed.
 */
export async function toOverlayMarks(layer: string): Promise<void> {
  const names: string[] = [];
  for await (const { name } of await opendir(layer)) names.push(name);
  const own = new Set(names);
  for (const name of names.filter((each) => each.startsWith(whiteoutPrefix))) {
    await rm(join(layer, name), { recursive: true, force: true });
    if (name === opaqueName) markOpaque(layer);
    const gone = name.slice(whiteoutPrefix.length);
    // ".wh..wh.x" is reserved; ".wh." and ".wh..." name nothing inside.
    if (gone === "" || gone === "." || gone === ".." || gone.startsWith(whiteoutPrefix)) continue;
    if (!own.has(gone)) checked("mknod", mknod(join(layer, gone), characterDevice, 0));
    // Removed and made anew: nothing of what was there shows through.
    else if ((await lstat(join(layer, gone))).isDirectory()) markOpaque(join(layer, gone));
  }
  for (const name of names) {
    if (name.startsWith(whiteoutPrefix)) continue;
    if ((await lstat(join(layer, name))).isDirectory()) await toOverlayMarks(join(layer, name));
  }
}

/** Whether a directory of a layer hides what is in the layers below. */
export function isOpaque(directory: string): boolean {
  const value = Buffer.alloc(1);
  return getAttribute(directory, opaqueAttribute, value, value.length) === 1 && value.toString() === "y";
}

function markOpaque(directory: string): void {
  checked("lsetxattr", setAttribute(directory, opaqueAttribute, Buffer.from("y"), 1, 0));
}
