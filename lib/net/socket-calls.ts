import { checked, close, libc, NativeMemory } from "../libc.js";

/** System calls on sockets and devices that more than one program makes, see {@link libc}. */

// koffi types every function as (...args: any[]) => any; the declared C prototype next to each cast is what makes it true.
/** recv(2). */
export const recv = libc.func(
  "long recv(int fd, size_t buffer, size_t count, int flags)",
) as unknown as FlaggedTransfer;
/** send(2). */
export const send = libc.func(
  "long send(int fd, size_t buffer, size_t count, int flags)",
) as unknown as FlaggedTransfer;
type FlaggedTransfer = (fd: number, address: number, count: number, flags: number) => number;

const ioctlFunction = libc.func("int ioctl(int fd, ulong request, size_t argument)") as unknown as (
  fd: number,
  request: number,
  argument: number,
) => number;
const setsockoptFunction = libc.func(
  "int setsockopt(int fd, int level, int name, size_t value, uint length)",
) as unknown as (fd: number, level: number, name: number, value: number, length: number) => number;
const socketFunction = libc.func("int socket(int family, int type, int protocol)") as unknown as (
  family: number,
  type: number,
  protocol: number,
) => number;
const setnsFunction = libc.func("int setns(int fd, int kind)") as unknown as (fd: number, kind: number) => number;

/** ioctl(2) with memory or a number as argument. */
export function ioctl(fd: number, request: number, argument: Uint8Array | number, what: string): void {
  if (typeof argument === "number") {
    checked(what, ioctlFunction(fd, request, argument));
    return;
  }
  const memory = new NativeMemory(argument.length);
  memory.buffer.set(argument);
  checked(what, ioctlFunction(fd, request, memory.address));
  argument.set(memory.buffer);
}

/** Which option of a socket: numbers of setsockopt(2), and a name for its error. */
interface SocketOption {
  readonly level: number;
  readonly option: number;
  readonly what: string;
}

/** Sets an option of a socket. @throws {SystemCallError} */
export function setSocketOption(fd: number, { level, option, what }: SocketOption, value: Buffer | number): void {
  const memory = new NativeMemory(typeof value === "number" ? 4 : value.length);
  if (typeof value === "number") memory.buffer.writeInt32LE(value);
  else memory.buffer.set(value);
  const { address, buffer } = memory;
  checked(`setsockopt(${what})`, setsockoptFunction(fd, level, option, address, buffer.length));
}

/** A datagram socket of the thread's net namespace that is good for orders to devices. */
export function openSocket(): number {
  const [AF_INET, SOCK_DGRAM, SOCK_CLOEXEC] = [2, 2, 0o2000000];
  return checked("socket", socketFunction(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

/** A socket for frames (packet(7)) that gets nothing before it is bound, non-blocking. @throws {SystemCallError} */
export function createPacketSocket(): number {
  const [AF_PACKET, SOCK_RAW, SOCK_NONBLOCK, SOCK_CLOEXEC] = [17, 3, 0o4000, 0o2000000];
  return checked("socket(AF_PACKET)", socketFunction(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/** A TCP socket that is neither bound nor connected, non-blocking. @throws {SystemCallError} */
export function createStreamSocket(family: "ipv4" | "ipv6"): number {
  const [AF_INET, AF_INET6, SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC] = [2, 10, 1, 0o4000, 0o2000000];
  const kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return checked("socket", socketFunction(family === "ipv6" ? AF_INET6 : AF_INET, kind, 0));
}

/** Moves the calling thread, and no other, into the net namespace of a descriptor. */
export function enterNetNamespace(fd: number): void {
  const CLONE_NEWNET = 0x4000_0000;
  checked("setns", setnsFunction(fd, CLONE_NEWNET));
}

const bindFunction = libc.func("int bind(int fd, size_t address, uint length)") as unknown as (
  fd: number,
  address: number,
  length: number,
) => number;

/** A socket that gets what the kernel tells groups of listeners (netlink(7)), non-blocking. @param groups a bit for each. @throws {SystemCallError} */
export function openNetlinkSocket(family: number, groups: number): number {
  const [AF_NETLINK, SOCK_RAW, SOCK_NONBLOCK, SOCK_CLOEXEC] = [16, 3, 0o4000, 0o2000000];
  const fd = checked("socket(AF_NETLINK)", socketFunction(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, family));
  // struct sockaddr_nl
  const address = new NativeMemory(12);
  address.buffer.fill(0);
  address.buffer.writeUInt16LE(AF_NETLINK, 0);
  address.buffer.writeUInt32LE(groups, 8);
  try {
    checked("bind(AF_NETLINK)", bindFunction(fd, address.address, 12));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** A datagram socket at 127.0.0.1 of the thread's net namespace, non-blocking. @param port 0: any. @throws {SystemCallError} */
export function openLoopbackSocket(port: number): number {
  const [AF_INET, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC] = [2, 2, 0o4000, 0o2000000];
  const fd = checked("socket", socketFunction(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // struct sockaddr_in
  const address = new NativeMemory(16);
  address.buffer.fill(0);
  address.buffer.writeUInt16LE(AF_INET, 0);
  address.buffer.writeUInt16BE(port, 2);
  address.buffer.set([127, 0, 0, 1], 4);
  try {
    checked("bind", bindFunction(fd, address.address, 16));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}
