import { checked, errno, lastErrno, libc, NativeMemory } from "../../../lib/libc.js";

/** System calls for splicing, see {@link libc}. */

// koffi types every function as (...args: any[]) => any; the declared C prototype next to each cast is what makes it true.
const spliceFunction = libc.func(
  "long splice(int in, size_t in_offset, int out, size_t out_offset, size_t length, uint flags)",
) as unknown as (
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
  flags: number,
) => number;
const pipeFunction = libc.func("int pipe2(size_t fds, int flags)") as unknown as (fds: number, flags: number) => number;
const fcntlFunction = libc.func("int fcntl(int fd, int command, long argument)") as unknown as (
  fd: number,
  command: number,
  argument: number,
) => number;
const sendFunction = libc.func("long send(int fd, size_t buffer, size_t count, int flags)") as unknown as (
  fd: number,
  buffer: number,
  count: number,
  flags: number,
) => number;
const shutdownFunction = libc.func("int shutdown(int fd, int how)") as unknown as (fd: number, how: number) => number;
const epollCreateFunction = libc.func("int epoll_create1(int flags)") as unknown as (flags: number) => number;
/** epoll_ctl(2); -1 and {@link lastErrno} on error. */
export const epollControl = libc.func("int epoll_ctl(int epoll, int operation, int fd, size_t event)") as unknown as (
  epoll: number,
  operation: number,
  fd: number,
  event: number,
) => number;
/** epoll_wait(2). */
export const epollWait = libc.func("int epoll_wait(int epoll, size_t events, int count, int timeout)") as unknown as (
  epoll: number,
  events: number,
  count: number,
  timeoutMs: number,
) => number;

/** Moves bytes between a pipe and a socket without waiting (splice(2)); -1 and {@link lastErrno} on error, 0 at the end of `from`. */
export function splice(from: number, to: number, length: number): number {
  const [SPLICE_F_MOVE, SPLICE_F_NONBLOCK] = [1, 2];
  for (;;) {
    const count = spliceFunction(from, 0, to, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count >= 0 || lastErrno() !== errno.EINTR) return count;
  }
}

/** A new pipe that holds about so many bytes, less where the system's limits say so. @throws when there are too many open files. */
export function openPipe(bytes: number): { readonly readFd: number; readonly writeFd: number } {
  const [O_NONBLOCK, O_CLOEXEC, F_SETPIPE_SZ] = [0o4000, 0o2000000, 1031];
  const fds = new NativeMemory(8);
  checked("pipe2", pipeFunction(fds.address, O_NONBLOCK | O_CLOEXEC));
  const [readFd, writeFd] = [fds.buffer.readInt32LE(0), fds.buffer.readInt32LE(4)];
  // A user who has many pipes already gets small ones (pipe(7), pipe-user-pages-soft): slower, and no fault.
  fcntlFunction(writeFd, F_SETPIPE_SZ, bytes);
  return { readFd, writeFd };
}

/** Sends one byte on a socket without waiting; false when it could not. */
export function sendByte(fd: number, byte: number): boolean {
  const [MSG_DONTWAIT, MSG_NOSIGNAL] = [0x40, 0x4000];
  const memory = new NativeMemory(1);
  memory.buffer[0] = byte;
  return sendFunction(fd, memory.address, 1, MSG_DONTWAIT | MSG_NOSIGNAL) === 1;
}

/** Tells the other side of a socket that nothing more comes. That it has gone already is no error. */
export function endSending(fd: number): void {
  const SHUT_WR = 1;
  shutdownFunction(fd, SHUT_WR);
}

/** @throws when there are too many open files. */
export function createEpoll(): number {
  const EPOLL_CLOEXEC = 0o2000000;
  return checked("epoll_create1", epollCreateFunction(EPOLL_CLOEXEC));
}
