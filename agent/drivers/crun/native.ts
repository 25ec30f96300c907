import { closeSync, constants, openSync } from "node:fs";
import { checked, errno, lastErrno, libc } from "../../../lib/libc.js";

/** What Node cannot do by itself: the sequenced-packet sockets that conmon listens on. See {@link libc}. */

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

const [afUnix, sockSeqPacket, sockCloexec] = [1, 5, 0o2000000];
const [shutRead, msgDontWait, msgNoSignal] = [0, 0x40, 0x4000];
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
