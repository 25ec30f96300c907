import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, opendir, readlink, statfs } from "node:fs/promises";
import { treeLimits } from "./tree.js";

/**
 * Directories held open by descriptor, from which names are looked up one by one: whatever somebody else does to a tree meanwhile,
 * nothing is reached that is not in it. "/proc/self/fd/N/name" is what openat(2) would be, which Node has not.
 */

/** Of <fcntl.h>: a descriptor that only names a file, the same number on every architecture Node runs on. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
const maxLinks = 40;
/** Names of a path with those that links on the way bring. */
const maxParts = 4096;
const maxNameBytes = 255;
const namesAtOnce = 256;

/** Types of file systems (statfs(2)) that hold files and nothing else: no handles to the kernel, no server that may hang. */
const plainFileSystems: ReadonlySet<number> = new Set([
  0x794c7630, // overlay
  0xef53, // ext2, ext3, ext4
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x2fc12fc1, // zfs
  0x73717368, // squashfs
  0xf2f52010, // f2fs
  0x01021997, // 9p
  0x6969, // nfs
]);

/** A file that cannot be read or written as asked; says which, and why, for people. */
export class TreeError extends Error {
  override readonly name = "TreeError";
  /** "ENOENT" and the like, or "". */
  readonly code: string;

  constructor(message: string, code = "", cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** A directory held open. */
export class Dir implements AsyncDisposable {
  readonly #handle: FileHandle;
  /** For people: where it is in its tree. */
  readonly shown: string;
  readonly #plainOnly: boolean;

  private constructor(handle: FileHandle, shown: string, plainOnly: boolean) {
    this.#handle = handle;
    this.shown = shown;
    this.#plainOnly = plainOnly;
  }

  /**
   * Opens a directory by its path, through links: the top of a tree.
   * @param options.plainOnly refuse what is not on a file system for files, there and below: of a guest that could mount others.
   */
  static async open(path: string, options: { readonly shown: string; readonly plainOnly: boolean }): Promise<Dir> {
    const handle = await open(path, O_PATH | O_DIRECTORY).catch((error: unknown) => {
      throw explained(error, options.shown);
    });
    return await new Dir(handle, options.shown, options.plainOnly).#checked();
  }

  /** Path under which a name in it is reached. */
  at(name: string): string {
    return `/proc/self/fd/${this.#handle.fd}/${name}`;
  }

  /** Name of an entry, for people. */
  show(name: string): string {
    return this.shown.endsWith("/") ? this.shown + name : `${this.shown}/${name}`;
  }

  /** What an entry is; undefined: there is none. Links are not followed. */
  async find(name: string): Promise<Stats | undefined> {
    try {
      return await lstat(this.at(name));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw explained(error, this.show(name));
    }
  }

  /** Opens a directory in it. @throws {TreeError} for what is none, a link included. */
  async enter(name: string): Promise<Dir> {
    const shown = this.show(name);
    const handle = await open(this.at(name), O_PATH | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => {
      throw explained(error, shown);
    });
    return await new Dir(handle, shown, this.#plainOnly).#checked();
  }

  /** Opens a file in it for reading. @throws {TreeError} for what is not a plain file. */
  async openFile(name: string): Promise<FileHandle> {
    const shown = this.show(name);
    const file = await open(this.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY).catch((error: unknown) => {
      throw explained(error, shown);
    });
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new TreeError(`${shown} is not a plain file`);
  }

  /** Names of what is in it, in no order, as they come: there may be more than memory holds. */
  async *names(): AsyncGenerator<Buffer> {
    // Node takes "buffer" here as elsewhere; its types do not know that.
    const options = { encoding: "buffer" as BufferEncoding, bufferSize: namesAtOnce };
    for await (const { name } of await opendir(this.at("."), options)) yield name as unknown as Buffer;
  }

  /** The same directory, held open on its own. */
  async again(): Promise<Dir> {
    return new Dir(await open(this.at("."), O_PATH | O_DIRECTORY), this.shown, this.#plainOnly);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #checked(): Promise<this> {
    if (!this.#plainOnly || plainFileSystems.has((await statfs(this.at("."))).type)) return this;
    await this.#handle.close();
    throw new TreeError(`${this.shown} is on a file system that is not for files; it is not touched`, "EXDEV");
  }
}

/** Where a path leads: an entry of a directory that is held open. */
export interface Place extends AsyncDisposable {
  readonly dir: Dir;
  /** "." when it is the directory itself. */
  readonly name: string;
  /** Undefined: there is no such entry yet. */
  readonly stats: Stats | undefined;
}

/**
 * Looks a path up as if the directory were "/": links lead nowhere else, neither absolute ones nor with "..".
 * @param options.follow a link at the end of the path is followed. @throws {TreeError}
 */
export async function lookUp(top: Dir, path: string, options: { readonly follow: boolean }): Promise<Place> {
  const stack = [await top.again()];
  const pop = async (): Promise<void> => void (await stack.pop()?.[Symbol.asyncDispose]());
  const here = (): Dir => stack.at(-1) ?? top;
  const found = (name: string, stats: Stats | undefined): Place => {
    const dir = here();
    stack.pop();
    return { dir, name, stats, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
  };
  let links = 0;
  try {
    for (let rest = partsOf(path); ; ) {
      const [name, ...others] = rest;
      if (name === undefined) return found(".", await here().find("."));
      rest = others;
      if (rest.length > maxParts) throw new TreeError(`${path}: symbolic links on the way make it too long`, "ELOOP");
      if (name === "..") {
        if (stack.length > 1) await pop();
        continue;
      }
      assertName(name, path);
      const stats = await here().find(name);
      if (stats?.isSymbolicLink() === true && (rest.length > 0 || options.follow)) {
        links += 1;
        if (links > maxLinks) throw new TreeError(`${path}: too many symbolic links on the way`, "ELOOP");
        const target = await readlink(here().at(name));
        while (target.startsWith("/") && stack.length > 1) await pop();
        rest = [...partsOf(target), ...rest];
        continue;
      }
      if (rest.length === 0 && !path.endsWith("/")) return found(name, stats);
      if (stats === undefined) throw new TreeError(`${here().show(name)} does not exist`, "ENOENT");
      // Each is held open.
      if (stack.length > treeLimits.depth) throw new TreeError(`${here().show(name)} lies too deep`);
      stack.push(await here().enter(name));
    }
  } finally {
    while (stack.length > 0) await pop();
  }
}

function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** @throws {TreeError} for what is no name of a file. */
function assertName(name: string, path: string): void {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw new TreeError(`${JSON.stringify(path)} is not the path of a file`);
  }
  if (Buffer.byteLength(name) > maxNameBytes) throw new TreeError(`a name in ${path.slice(0, 100)} is too long`);
}

/** Code of a system error, "ENOSPC"; "" of others. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

const words: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "is not a directory, or a symbolic link, which is not followed",
  ELOOP: "is a symbolic link, which is not followed",
  EACCES: "may not be read or written by you",
  EPERM: "may not be changed by you",
  ENOSPC: "does not fit: the disk is full",
  EDQUOT: "does not fit: the disk quota is used up",
  EROFS: "is on a read-only file system",
  EISDIR: "is a directory",
  ENOTEMPTY: "is a directory that is not empty",
  ENXIO: "is not a plain file",
  EFBIG: "is larger than the file system can hold",
  EEXIST: "exists already",
};

/** A system error in words, with the path that people know. */
export function explained(error: unknown, shown: string): unknown {
  const code = codeOf(error);
  if (error instanceof TreeError || code === "") return error;
  return new TreeError(`${shown} ${words[code] ?? `cannot be used (${code})`}`, code, error);
}
