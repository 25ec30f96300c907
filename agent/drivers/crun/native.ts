import { closeSync, constants, openSync } from "node:fs";
import { checked, errno, lastErrno, libc } from "../../../lib/libc.js";

/** What Node cannot do by itself: pseudo-terminals, and the sequenced-packet sockets that conmon listens on. See {@link libc}. */

// koffi types every function as (...args: any[]) => any; the C prototype in each line is what makes the casts true.
const socket = libc.func("int socket(int domain, int type, int protocol)") as unknown as (
  domain: number,
  type: number,
  protocol: number,
) => number;
const connect = libc.func("int connect(int fd, const void *address, uint length)") as unknown as (
  fd: number,
  address: Buffer,
  length: number,
) => number;
const shutdown = libc.func("int shutdown(int fd, int how)") as unknown as (fd: number, how: number) => number;
const send = libc.func("long send(int fd, const void *data, size_t length, int flags)") as unknown as (
  fd: number,
  data: Uint8Array,
  length: number,
  flags: number,
) => number;
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

const [afUnix, sockSeqPacket, sockCloexec] = [1, 5, 0o2000000];
const [shutRead, msgDontWait, msgNoSignal] = [0, 0x40, 0x4000];
/** TIOCSWINSZ of asm-generic/ioctls.h, which x86_64 and arm64 use. */
const setWindowSize = 0x5414;
const maxSocketPathBytes = 107;

/**
 * Connects to a sequenced-packet unix socket for sending only: what the peer sends is refused, so that it never waits for us.
 * @param directory the socket's directory; its own path may be longer than a socket address.
 */
export function connectPacketSocket(directory: string, name: string): number {
  const directoryFd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const path = Buffer.from(`/proc/self/fd/${directoryFd}/${name}`);
    if (path.length > maxSocketPathBytes) throw new Error("the socket's name is too long");
    const address = Buffer.alloc(2 + path.length + 1);
    address.writeUInt16LE(afUnix);
    path.copy(address, 2);
    const fd = checked("socket", socket(afUnix, sockSeqPacket | sockCloexec, 0));
    try {
      checked("connect", connect(fd, address, address.length));
      checked("shutdown", shutdown(fd, shutRead));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return fd;
  } finally {
    closeSync(directoryFd);
  }
}

/** Sends one packet. False: the peer's queue is full; try again later. */
export function sendPacket(fd: number, data: Uint8Array): boolean {
  if (send(fd, data, data.length, msgDontWait | msgNoSignal) >= 0) return true;
  if (lastErrno() === errno.EAGAIN) return false;
  return checked("send", -1) >= 0;
}

/** A new pseudo-terminal; the caller closes both descriptors. */
export function openPty(): { readonly master: number; readonly slave: number } {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = checked("posix_openpt", openPseudoTerminal(flags | sockCloexec));
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
