import { chmod, chown, lstat, mkdir, opendir, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";

/** Names in a layer that mean something is gone (OCI image specification, "Image Layer Filesystem Changeset"). */
const [whiteoutPrefix, opaqueName] = [".wh.", ".wh..wh..opq"];

/**
 * Applies a layer, extracted into a directory of its own, to the layers before it. Nothing is ever written through a link: each
 * directory is one by lstat(2), and nobody else writes below either. The layer's directory is used up.
 */
export async function mergeLayer(layer: string, base: string): Promise<void> {
  const names: string[] = [];
  for await (const { name } of await opendir(layer)) names.push(name);
  // What is gone is gone of the layers below only, so it comes first.
  if (names.includes(opaqueName)) await clear(base);
  for (const name of names.filter((each) => each.startsWith(whiteoutPrefix))) {
    const gone = name.slice(whiteoutPrefix.length);
    // ".wh..wh.x" is reserved; ".wh." and ".wh..." name nothing inside.
    if (gone === "" || gone === "." || gone === ".." || gone.startsWith(whiteoutPrefix)) continue;
    await rm(join(base, gone), { recursive: true, force: true });
  }
  for (const name of names) {
    if (name.startsWith(whiteoutPrefix)) continue;
    await mergeEntry(join(layer, name), join(base, name));
  }
}

async function mergeEntry(entry: string, target: string): Promise<void> {
  const found = await lstat(entry);
  if (!found.isDirectory()) {
    await rm(target, { recursive: true, force: true });
    await rename(entry, target);
    return;
  }
  const below = await lstat(target).catch(() => undefined);
  if (below?.isDirectory() !== true) {
    await rm(target, { force: true });
    await mkdir(target, { mode: 0o700 });
  }
  await mergeLayer(entry, target);
  await chown(target, found.uid, found.gid);
  await chmod(target, found.mode & 0o7777);
  await utimes(target, found.atime, found.mtime);
}

async function clear(directory: string): Promise<void> {
  for await (const { name } of await opendir(directory))
    await rm(join(directory, name), { recursive: true, force: true });
}
