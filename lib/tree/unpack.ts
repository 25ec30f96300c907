import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  chmod,
  type FileHandle,
  lchown,
  link as hardLink,
  lstat,
  lutimes,
  mkdir,
  open,
  rename,
  symlink,
  unlink,
} from "node:fs/promises";
import { type Dir, explained, TreeError } from "./dir.js";
import { type TreeEntry, type TreeItem, treeLimits } from "./tree.js";
import { writeSparse } from "./write-sparse.js";

/** How to write a tree. */
export interface UnpackOptions {
  /** Name that the top of the tree gets. */
  readonly name: string;
  /** Owners and set-id bits are those of the tree; else files are whoever's who writes them. */
  readonly owners: boolean;
  readonly onSkipped: (what: string) => void;
  /** Default: those of treeLimits. */
  readonly bounds?: UnpackBounds;
}

/** What a tree may cost whoever writes it, beside what it says to be. */
export type UnpackBounds = Readonly<Record<"namesBytes" | "copiedBytes", number>>;

const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;

/**
 * Writes a tree into a directory, and nowhere else: names are looked up one by one from the directory held open, and no link is followed on the
 * way, be it one that came with the tree or one that was there. A file is whole when it gets its name; of one that is not nothing is left.
 * @throws also what is said of a tree that is not complete: what came of it is there, but for a file that was all that was asked for.
 */
export async function unpackTree(dir: Dir, items: AsyncIterable<TreeItem>, options: UnpackOptions): Promise<void> {
  const directories: TreeEntry[] = [];
  const links = new HardLinks(dir, options);
  const names = new Names(options.bounds ?? treeLimits);
  let writing: Writing | undefined;
  let incomplete: { readonly error: unknown } | undefined;
  try {
    for await (const item of items) {
      if (item.type === "data") {
        if (writing === undefined) throw new TreeError("data came without a file");
        await writing.write(item.data);
        links.come += item.data.length;
        continue;
      }
      if (item.type === "incomplete") {
        incomplete = item;
        break;
      }
      await writing?.finish();
      writing = undefined;
      if (item.type === "skipped") options.onSkipped(item.what);
      else if (item.type === "copy") {
        if (!names.has(item.of)) throw new TreeError(`${item.of.join("/")} is linked to before it came`);
        await links.make(item);
        names.add(item.path);
      } else if (item.entry.type === "file") {
        names.add(item.entry.path);
        writing = await Writing.begin(dir, item.entry, options);
      } else if (item.entry.type === "symlink") await link(dir, item.entry, options);
      else {
        names.add(item.entry.path);
        directories.push(await make(dir, item.entry, options));
      }
    }
    if (incomplete === undefined || writing?.isTop === false) {
      await writing?.finish();
      writing = undefined;
    }
    // The deepest first: writing into a directory changes its time, and may not be possible with its mode.
    for (const entry of directories.reverse()) await finishDirectory(dir, entry, options);
    if (incomplete !== undefined) throw incomplete.error;
  } finally {
    await writing?.discard();
  }
}

/** The directory that an entry is in, and its name there. No link is followed on the way. */
export async function parentOf(
  dir: Dir,
  path: readonly string[],
  top: string,
): Promise<{ readonly dir: Dir; readonly name: string }> {
  const parts = [top, ...path];
  const name = parts.pop() ?? top;
  let here = await dir.again();
  for (const part of parts) {
    const next = await here.enter(part).finally(() => here[Symbol.asyncDispose]());
    here = next;
  }
  return { dir: here, name };
}

async function within<T>(
  { dir, path, name }: { readonly dir: Dir; readonly path: readonly string[]; readonly name: string },
  work: (place: { readonly dir: Dir; readonly name: string; readonly at: string }) => Promise<T>,
): Promise<T> {
  const place = await parentOf(dir, path, name);
  await using here = place.dir;
  try {
    return await work({ ...place, at: here.at(place.name) });
  } catch (error) {
    throw explained(error, here.show(place.name));
  }
}

async function make(dir: Dir, entry: TreeEntry, { name }: UnpackOptions): Promise<TreeEntry> {
  await within({ dir, path: entry.path, name }, async (place) => {
    const stats = await place.dir.find(place.name);
    if (stats === undefined) await mkdir(place.at, { mode: 0o700 });
    else if (!stats.isDirectory())
      throw new TreeError(`${place.dir.show(place.name)} is in the way: it is no directory`);
  });
  return entry;
}

async function finishDirectory(dir: Dir, entry: TreeEntry, { name, owners }: UnpackOptions): Promise<void> {
  await within({ dir, path: entry.path, name }, async (place) => {
    await using inner = await place.dir.enter(place.name);
    if (owners) await lchown(inner.at("."), entry.uid, entry.gid);
    await chmod(inner.at("."), permissions(entry, owners));
    await lutimes(inner.at("."), entry.mtime, entry.mtime);
  });
}

async function link(dir: Dir, { path, target, mtime, uid, gid }: TreeEntry, options: UnpackOptions): Promise<void> {
  await within({ dir, path, name: options.name }, async (place) => {
    const fresh = place.dir.at(freshName());
    await symlink(target, fresh);
    try {
      if (options.owners) await lchown(fresh, uid, gid);
      await lutimes(fresh, mtime, mtime);
      await rename(fresh, place.at);
    } catch (error) {
      await unlink(fresh).catch(() => undefined);
      throw error;
    }
  });
}

/** What has come, by its path: bounded, since whoever sends a tree chooses how many names it has, and how long they are. */
class Names {
  readonly #paths = new Set<string>();
  readonly #limit: number;
  #bytes = 0;

  constructor({ namesBytes }: UnpackBounds) {
    this.#limit = namesBytes;
  }

  /** @throws {TreeError} */
  add(path: readonly string[]): void {
    const whole = path.join("/");
    if (this.#paths.has(whole)) return;
    this.#paths.add(whole);
    this.#bytes += nameCost + whole.length;
    if (this.#bytes > this.#limit) throw new TreeError("its names take too much memory; copy it in parts");
  }

  has(path: readonly string[]): boolean {
    return this.#paths.has(path.join("/"));
  }
}

/** Bytes that a name costs beside its text. */
const nameCost = 64;
/** Files of their own may take so many times what came, or the bound. */
const copiedTimes = 4;
/** The file system has no hard links, or not so many of one file. */
const noLinkCodes: ReadonlySet<string> = new Set(["EPERM", "EMLINK", "ENOTSUP", "ENOSYS"]);

/**
 * Makes hard links between files that came with the tree, and to nothing else, so that a link takes no room however large the file is. Where
 * the file system has none they become files of their own, up to a bound: a few bytes ask for as much as the file has, again and again.
 */
class HardLinks {
  readonly #dir: Dir;
  readonly #options: UnpackOptions;
  /** Bytes of files that have come. */
  come = 0;
  #copied = 0;

  constructor(dir: Dir, options: UnpackOptions) {
    this.#dir = dir;
    this.#options = options;
  }

  async make({ path, of }: { readonly path: readonly string[]; readonly of: readonly string[] }): Promise<void> {
    const { name } = this.#options;
    await within({ dir: this.#dir, path: of, name }, async (source) => {
      const file = await source.dir.openFile(source.name);
      try {
        await within({ dir: this.#dir, path, name }, async (place) => {
          if (!(await linkTo(source, file, place))) await this.#copy(file, path);
        });
      } finally {
        await file.close();
      }
    });
  }

  async #copy(file: FileHandle, path: readonly string[]): Promise<void> {
    const { mode, uid, gid, mtimeMs, size } = await file.stat();
    this.#copied += size;
    const most = Math.max(this.#options.bounds?.copiedBytes ?? treeLimits.copiedBytes, copiedTimes * this.come);
    if (this.#copied > most) {
      const why = "there are no hard links here, and those that came would take far more than what they lead to";
      throw new TreeError(`${why}; pack the tree inside, and copy the archive`);
    }
    const facts = { mode: mode & 0o7777, uid, gid, mtime: mtimeMs / 1000, size, target: "" };
    const writing = await Writing.begin(this.#dir, { ...facts, path, type: "file" }, this.#options);
    try {
      for await (const data of file.createReadStream({ autoClose: false, start: 0 })) await writing.write(data);
      await writing.finish();
    } catch (error) {
      await writing.discard();
      throw error;
    }
  }
}

/** Links a name to a file that is held open; false: the file system cannot. */
async function linkTo(
  source: { readonly at: string },
  file: FileHandle,
  place: { readonly dir: Dir; readonly name: string; readonly at: string },
): Promise<boolean> {
  const there = await place.dir.find(place.name);
  if (there?.isDirectory() === true)
    throw new TreeError(`${place.dir.show(place.name)} is in the way: it is a directory`);
  const { dev, ino } = await file.stat({ bigint: true });
  const fresh = place.dir.at(freshName());
  try {
    await hardLink(source.at, fresh);
  } catch (error) {
    if (error instanceof Error && "code" in error && noLinkCodes.has(String(error.code))) return false;
    throw error;
  }
  try {
    // Somebody may have put another file in its place meanwhile.
    const made = await lstat(fresh, { bigint: true });
    if (made.dev !== dev || made.ino !== ino)
      throw new TreeError(`${place.dir.show(place.name)}: what it is linked to was replaced`);
    await rename(fresh, place.at);
  } finally {
    // Of a link that has its name there is no other one, but where both were the same file before.
    await unlink(fresh).catch(() => undefined);
  }
  return true;
}

/** A file that is being written under a name of its own. */
class Writing {
  readonly #dir: Dir;
  readonly #file: FileHandle;
  readonly #fresh: string;
  readonly #name: string;
  readonly #entry: TreeEntry;
  readonly #owners: boolean;
  #at = 0;

  private constructor(
    place: { readonly dir: Dir; readonly name: string },
    { file, fresh }: { readonly file: FileHandle; readonly fresh: string },
    { entry, owners }: { readonly entry: TreeEntry; readonly owners: boolean },
  ) {
    this.#dir = place.dir;
    this.#name = place.name;
    this.#file = file;
    this.#fresh = fresh;
    this.#entry = entry;
    this.#owners = owners;
  }

  static async begin(dir: Dir, entry: TreeEntry, { name, owners }: UnpackOptions): Promise<Writing> {
    const place = await parentOf(dir, entry.path, name);
    try {
      const stats = await place.dir.find(place.name);
      if (stats?.isDirectory() === true)
        throw new TreeError(`${place.dir.show(place.name)} is in the way: it is a directory`);
      const fresh = freshName();
      const file = await open(place.dir.at(fresh), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
      return new Writing(place, { file, fresh }, { entry, owners });
    } catch (error) {
      const shown = place.dir.show(place.name);
      await place.dir[Symbol.asyncDispose]();
      throw explained(error, shown);
    }
  }

  /** It is all there is of the tree. */
  get isTop(): boolean {
    return this.#entry.path.length === 0;
  }

  async write(data: Buffer): Promise<void> {
    if (this.#at + data.length > this.#entry.size)
      throw new TreeError(`${this.#dir.show(this.#name)}: more came than was said`);
    try {
      await writeSparse(this.#file, data, this.#at);
      this.#at += data.length;
    } catch (error) {
      throw explained(error, this.#dir.show(this.#name));
    }
  }

  /** Gives the file its name. */
  async finish(): Promise<void> {
    const { mtime, uid, gid, size } = this.#entry;
    try {
      if (this.#at !== size) throw new TreeError(`${this.#dir.show(this.#name)}: less came than was said`);
      await this.#file.truncate(size);
      if (this.#owners) await this.#file.chown(uid, gid);
      await this.#file.chmod(permissions(this.#entry, this.#owners));
      await this.#file.utimes(mtime, mtime);
      await rename(this.#dir.at(this.#fresh), this.#dir.at(this.#name));
    } catch (error) {
      const shown = this.#dir.show(this.#name);
      await this.discard();
      throw explained(error, shown);
    }
    await this.#file.close();
    await this.#dir[Symbol.asyncDispose]();
  }

  /** Leaves nothing of it. Idempotent. */
  async discard(): Promise<void> {
    if (this.#file.fd === -1) return;
    await this.#file.close();
    await unlink(this.#dir.at(this.#fresh)).catch(() => undefined);
    await this.#dir[Symbol.asyncDispose]();
  }
}

function permissions({ mode }: TreeEntry, owners: boolean): number {
  return owners ? mode : mode & 0o777;
}

function freshName(): string {
  return `.zor-cp-${randomBytes(6).toString("hex")}`;
}
