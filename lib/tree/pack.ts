import { readlink } from "node:fs/promises";
import type { Stats } from "node:fs";
import type { Dir } from "./dir.js";
import { TreeError } from "./dir.js";
import { type TreeEntry, type TreeItem, treeLimits } from "./tree.js";

const pieceBytes = 256 * 1024;

/** Reads an entry of a directory with all that is below it. Links stay links; what is no file, directory or link is skipped. */
export async function* packTree(dir: Dir, name: string): AsyncGenerator<TreeItem> {
  yield* pack({ dir, name, path: [] }, { count: 0, withData: true });
}

/** As {@link packTree}, without what is in files. */
export async function* listTree(dir: Dir, name: string): AsyncGenerator<TreeItem> {
  yield* pack({ dir, name, path: [] }, { count: 0, withData: false });
}

/** @param held names that are held now, for all levels: a guest may make directories of more than memory holds. */
async function* pack(
  { dir, name, path }: { readonly dir: Dir; readonly name: string; readonly path: readonly string[] },
  held: { count: number; readonly withData: boolean },
): AsyncGenerator<TreeItem> {
  const stats = await dir.find(name);
  if (stats === undefined) throw new TreeError(`${dir.show(name)} does not exist`, "ENOENT");
  if (stats.isFile()) {
    if (held.withData) yield* packFile(dir, name, path);
    else yield { type: "entry", entry: entryOf(stats, path, "file") };
  } else if (stats.isSymbolicLink()) {
    yield { type: "entry", entry: entryOf(stats, path, "symlink", await readlink(dir.at(name))) };
  } else if (stats.isDirectory()) {
    yield { type: "entry", entry: entryOf(stats, path, "directory") };
    await using inner = await dir.enter(name);
    if (path.length >= treeLimits.depth) throw new TreeError(`${inner.shown} lies too deep`);
    const names: Buffer[] = [];
    for await (const each of inner.names()) {
      if (held.count + names.length >= treeLimits.listed) throw new TreeError(`${inner.shown} holds too many files`);
      names.push(each);
    }
    held.count += names.length;
    for (const raw of names.sort(Buffer.compare)) {
      const child = raw.toString("utf8");
      if (Buffer.from(child).equals(raw)) yield* pack({ dir: inner, name: child, path: [...path, child] }, held);
      else yield { type: "skipped", what: `${inner.show(child)}: its name is not UTF-8`, lost: true };
    }
    held.count -= names.length;
  } else {
    yield { type: "skipped", what: `${dir.show(name)} is neither file, directory nor link` };
  }
}

async function* packFile(dir: Dir, name: string, path: readonly string[]): AsyncGenerator<TreeItem> {
  const file = await dir.openFile(name);
  try {
    const stats = await file.stat();
    yield { type: "entry", entry: entryOf(stats, path, "file") };
    for (let at = 0; at < stats.size; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(pieceBytes, stats.size - at)), 0, null, at);
      if (bytesRead === 0) throw new TreeError(`${dir.show(name)} became shorter while it was read; try again`);
      yield { type: "data", data: buffer.subarray(0, bytesRead) };
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

function entryOf(stats: Stats, path: readonly string[], type: TreeEntry["type"], target = ""): TreeEntry {
  const { mode, uid, gid, mtimeMs, size } = stats;
  return { path, type, mode: mode & 0o7777, uid, gid, mtime: mtimeMs / 1000, size: type === "file" ? size : 0, target };
}
