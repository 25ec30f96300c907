import { constants } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { checked, close, libc } from "../../lib/libc.js";

/** openat2(2) has this number on every architecture. */
const openat2Number = 437;
const currentDirectory = -100;
/** linux/openat2.h. */
const resolve = { noMagicLinks: 0x02, noSymlinks: 0x04, inRoot: 0x10 } as const;
/** fcntl.h; Node names neither. */
const [pathOnly, closeOnExec] = [0o10000000, 0o2000000];

// syscall(2) takes what the call takes; koffi types every function as (...args: any[]) => any.
const openat2 = libc.func(
  "long syscall(long number, long directory, const char *path, const void *how, size_t size)",
) as unknown as (number: number, directory: number, path: string, how: Buffer, size: number) => number;

/** A place in the file tree, held by a descriptor that can neither be read nor written: nothing is triggered by opening it. */
export interface HeldPath extends Disposable {
  /** Leads to exactly this file or directory, whatever its name means by now; valid in this process until disposed of. */
  readonly path: string;
}

/**
 * Holds what is at an absolute path, no part of which may be a symbolic link: the path that was checked is the path that was walked.
 * @throws {SystemCallError} ELOOP when there is a link in it, ENOENT when nothing is there.
 */
export function holdPath(path: string): HeldPath {
  return hold(currentDirectory, path, resolve.noSymlinks | resolve.noMagicLinks);
}

/**
 * Like {@link holdPath}, but step by step in other threads: a server that does not answer holds up whoever asks, and not the agent.
 * @throws the system's error.
 */
export async function holdPathAside(path: string): Promise<Pick<HeldPath, "path"> & AsyncDisposable> {
  let at = await open("/", pathOnly);
  for (const name of path.split("/").filter((each) => each !== "")) {
    const above = at;
    try {
      // A link is held itself, and nothing is found in it.
      at = await open(`/proc/self/fd/${above.fd}/${name}`, pathOnly | constants.O_NOFOLLOW);
    } finally {
      await above.close();
    }
  }
  const held = { path: `/proc/self/fd/${at.fd}`, [Symbol.asyncDispose]: () => at.close() };
  if (!(await at.stat()).isSymbolicLink()) return held;
  await at.close();
  throw new Error(`ELOOP: ${path} is a link`);
}

/**
 * Holds what a path means to a process whose root directory is this one: links in it, absolute ones too, lead nowhere else.
 * @throws {SystemCallError} ENOENT when nothing is there.
 */
export function holdInRoot(root: FileHandle, path: string): HeldPath {
  return hold(root.fd, path, resolve.inRoot | resolve.noMagicLinks);
}

/**
 * Opens a held file or directory for reading, or a file for writing too. Permissions are checked anew. Nothing else is opened: a
 * pipe would be waited for, and a device would take it for an order.
 * @throws the system's error.
 */
export async function openHeld(held: Pick<HeldPath, "path">, mode: "r" | "r+" = "r"): Promise<FileHandle> {
  const found = await stat(held.path);
  if (!found.isFile() && !found.isDirectory()) throw new Error("it is neither a file nor a directory");
  return await open(held.path, mode);
}

/** Holds what is at a path in a directory of ours, which links may lead to: the last name itself is none. @throws the system's error. */
export async function holdExactly(path: string): Promise<HeldPath> {
  return holdPath(join(await realpath(dirname(path)), basename(path)));
}

/** Opens a file or directory as {@link holdExactly} finds it. @throws the system's error. */
export async function openExactly(path: string, mode: "r" | "r+" = "r"): Promise<FileHandle> {
  using held = await holdExactly(path);
  return await openHeld(held, mode);
}

function hold(directory: number, path: string, how: number): HeldPath {
  const howTo = Buffer.alloc(24);
  howTo.writeBigUInt64LE(BigInt(pathOnly | closeOnExec), 0);
  howTo.writeBigUInt64LE(BigInt(how), 16);
  const fd = checked("openat2", openat2(openat2Number, directory, path, howTo, howTo.length));
  return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => void close(fd) };
}
