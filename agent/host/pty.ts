import { closeSync, constants, openSync } from "node:fs";
import { checked, libc } from "../../lib/libc.js";

/** Pseudo-terminals, which Node cannot make by itself. See {@link libc}. */

// koffi types every function as (...args: any[]) => any; the C prototype in each line is what makes the casts true.
const openPseudoTerminal = libc.func("int posix_openpt(int flags)") as unknown as (flags: number) => number;
const grant = libc.func("int grantpt(int fd)") as unknown as (fd: number) => number;
const unlock = libc.func("int unlockpt(int fd)") as unknown as (fd: number) => number;
const slaveName = libc.func("int ptsname_r(int fd, void *name, size_t length)") as unknown as (
  fd: number,
  name: Buffer,
  length: number,
) => number;
const ioctl = libc.func("int ioctl(int fd, ulong request, const void *argument)") as unknown as (
  fd: number,
  request: number,
  argument: Buffer,
) => number;

const closeOnExec = 0o2000000;
/** TIOCSWINSZ of asm-generic/ioctls.h, which x86_64 and arm64 use. */
const setWindowSize = 0x5414;

/** A new pseudo-terminal; the caller closes both descriptors. */
export function openPty(): { readonly master: number; readonly slave: number } {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = checked("posix_openpt", openPseudoTerminal(flags | closeOnExec));
  try {
    checked("grantpt", grant(master));
    checked("unlockpt", unlock(master));
    const name = Buffer.alloc(64);
    checked("ptsname_r", slaveName(master, name, name.length) === 0 ? 0 : -1);
    return { master, slave: openSync(name.toString("utf8", 0, name.indexOf(0)), flags) };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

/** Tells a terminal its size in character cells. */
export function resizePty(fd: number, columns: number, rows: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  checked("ioctl TIOCSWINSZ", ioctl(fd, setWindowSize, size));
}
