import { createHash } from "node:crypto";
import { readlink } from "node:fs/promises";
import { messageOf } from "../../../lib/errors.js";
import { type Dir, TreeError } from "../../../lib/tree/dir.js";
import { listTree } from "../../../lib/tree/pack.js";
import type { TreeEntry, TreeItem } from "../../../lib/tree/tree.js";
import { parentOf } from "../../../lib/tree/unpack.js";
import type { EntryFacts } from "./guest-tree.js";

const pieceBytes = 256 * 1024;

/** An entry here, before it is copied. */
export type Here = EntryFacts & Pick<TreeEntry, "target">;

/** What is in a directory here, itself included. */
export async function listHere(
  dir: Dir,
  name: string,
  onSkipped: (what: string, lost: boolean) => void,
): Promise<Here[]> {
  const entries: Here[] = [];
  for await (const item of listTree(dir, name)) {
    if (item.type === "skipped") onSkipped(`left out: ${item.what}`, item.lost === true);
    if (item.type !== "entry") continue;
    const { path, type, mode, mtime, size, target } = item.entry;
    entries.push({ ...{ path, type, size, target }, mode: mode & 0o777, mtime: Math.floor(mtime) });
  }
  return entries;
}

/** Whether two files have the same size and time. */
export function isAlike(one: EntryFacts | undefined, other: EntryFacts): boolean {
  return one?.type === "file" && one.size === other.size && one.mtime === other.mtime;
}

/** Those of files inside that are here with the same size and time. */
export async function alike(dir: Dir, name: string, files: readonly EntryFacts[]): Promise<readonly EntryFacts[]> {
  const found: EntryFacts[] = [];
  for (const file of files) {
    const place = await parentOf(dir, file.path, name);
    await using held = place.dir;
    const stats = await held.find(place.name);
    if (stats?.isFile() === true && stats.size === file.size && Math.floor(stats.mtimeMs / 1000) === file.mtime) {
      found.push(file);
    }
  }
  return found;
}

/** Gives files that are here the permissions that they have inside. */
export async function permit(dir: Dir, name: string, files: readonly EntryFacts[]): Promise<void> {
  for (const { path, mode } of files) {
    const place = await parentOf(dir, path, name);
    await using held = place.dir;
    const file = await held.openFile(place.name);
    try {
      if (((await file.stat()).mode & 0o777) !== mode) await file.chmod(mode);
    } finally {
      await file.close();
    }
  }
}

/** Digest of a file here; undefined: it cannot be read. */
export async function digestOf(dir: Dir, name: string): Promise<string | undefined> {
  const file = await dir.openFile(name).catch(() => undefined);
  if (file === undefined) return undefined;
  const hash = createHash("sha256");
  for await (const data of file.createReadStream({ start: 0, highWaterMark: pieceBytes })) hash.update(data as Buffer);
  return hash.digest("hex");
}

interface Numbered {
  readonly group: readonly Here[];
  readonly onUnread: (what: string) => void;
}

/** Entries under numbers, with what is in them; one that cannot be read, or is another than it was, is left out and told. */
export async function* numbered(dir: Dir, name: string, { group, onUnread }: Numbered): AsyncGenerator<TreeItem> {
  for (const [index, entry] of group.entries()) {
    const place = await parentOf(dir, entry.path, name);
    await using held = place.dir;
    const whole = { ...entry, path: [`${index}`], uid: 0, gid: 0 };
    if (entry.type === "symlink") {
      yield { type: "entry", entry: { ...whole, target: await readlink(held.at(place.name)) } };
      continue;
    }
    const file = await held.openFile(place.name).catch((error: unknown) => {
      onUnread(messageOf(error));
      return undefined;
    });
    if (file === undefined) continue;
    try {
      const { size, mtimeMs } = await file.stat();
      // It is told at the end.
      if (size !== entry.size || Math.floor(mtimeMs / 1000) !== entry.mtime) continue;
      yield { type: "entry", entry: whole };
      for (let at = 0; at < size; ) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(pieceBytes, size - at)), 0, null, at);
        if (bytesRead === 0)
          throw new TreeError(`${held.show(place.name)} became shorter while it was read; try again`);
        yield { type: "data", data: buffer.subarray(0, bytesRead) };
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
}
