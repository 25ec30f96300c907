import { checked, libc, NativeMemory } from "../../lib/libc.js";
import { setSocketOption } from "../../lib/net/socket-calls.js";

/** System calls of cables and boxes, see {@link libc}. */

// koffi types every function as (...args: any[]) => any; the declared C prototype next to each cast is what makes it true.
/** read(2); -1 and lastErrno() on error. */
export const read = libc.func("long read(int fd, size_t buffer, size_t count)") as unknown as Transfer;
/** write(2). */
export const write = libc.func("long write(int fd, size_t buffer, size_t count)") as unknown as Transfer;
/** ppoll(2); the timeout is a struct timespec, the signals to let in are 0 for none. */
export const ppoll = libc.func("int ppoll(size_t fds, ulong count, size_t timeout, size_t signals)") as unknown as (
  fds: number,
  count: number,
  timeout: number,
  signals: number,
) => number;

/** sched_yield(2). */
export const yieldProcessor = libc.func("int sched_yield()") as unknown as () => number;

type Transfer = (fd: number, address: number, count: number) => number;

const fcntlFunction = libc.func("int fcntl(int fd, int command, long argument)") as unknown as (
  fd: number,
  command: number,
  argument: number,
) => number;
const getsockoptFunction = libc.func(
  "int getsockopt(int fd, int level, int name, size_t value, size_t length)",
) as unknown as (fd: number, level: number, name: number, value: number, length: number) => number;
const flockFunction = libc.func("int flock(int fd, int operation)") as unknown as (
  fd: number,
  operation: number,
) => number;

const prctlFunction = libc.func("int prctl(int option, ulong value)") as unknown as (
  option: number,
  value: number,
) => number;

const IPPROTO_TCP = 6;

/** Another descriptor of the same socket or file, closed on exec. */
export function duplicate(fd: number): number {
  const F_DUPFD_CLOEXEC = 1030;
  return checked("fcntl(F_DUPFD_CLOEXEC)", fcntlFunction(fd, F_DUPFD_CLOEXEC, 3));
}

/** Reads and writes return EAGAIN instead of waiting. */
export function setNonBlocking(fd: number): void {
  const [F_GETFL, F_SETFL, O_NONBLOCK] = [3, 4, 0o4000];
  const flags = checked("fcntl(F_GETFL)", fcntlFunction(fd, F_GETFL, 0));
  checked("fcntl(F_SETFL)", fcntlFunction(fd, F_SETFL, flags | O_NONBLOCK));
}

/** Sets an integer TCP option of a socket. */
export function setTcpOption(fd: number, option: "userTimeoutMs" | "notSentLowWaterBytes", value: number): void {
  const names = { userTimeoutMs: 18, notSentLowWaterBytes: 25 } as const;
  setSocketOption(fd, { level: IPPROTO_TCP, option: names[option], what: option }, value);
}

/** Chooses how the kernel shares a TCP connection's path with others. @throws {SystemCallError} ENOENT: the kernel does not have it. */
export function setCongestionControl(fd: number, algorithm: string): void {
  const TCP_CONGESTION = 13;
  const option = { level: IPPROTO_TCP, option: TCP_CONGESTION, what: "TCP_CONGESTION" };
  setSocketOption(fd, option, Buffer.from(algorithm, "ascii"));
}

/** Name of the algorithm that {@link setCongestionControl} sets. @throws {SystemCallError} */
export function readCongestionControl(fd: number): string {
  const [TCP_CONGESTION, size] = [13, 16];
  const name = readTcpOption(fd, TCP_CONGESTION, size);
  return name.toString("ascii").replace(/\0.*$/s, "");
}

/** What the kernel knows of a connection's path. */
export interface TcpPath {
  /** Shortest round trip of the last minutes, and the smoothed one; huge before the first was measured. */
  readonly minRttMs: number;
  readonly rttMs: number;
  /** May be under way at once. */
  readonly windowBytes: number;
}

/** @throws {SystemCallError} */
export function readTcpPath(fd: number): TcpPath {
  // struct tcp_info: tcpi_snd_mss at 16, tcpi_rtt at 68, tcpi_snd_cwnd at 80, tcpi_min_rtt at 148; times in microseconds.
  const [TCP_INFO, size] = [11, 152];
  const info = readTcpOption(fd, TCP_INFO, size);
  const milliseconds = (at: number): number => {
    const value = info.readUInt32LE(at);
    return value === 0 ? Number.POSITIVE_INFINITY : value / 1_000;
  };
  return {
    minRttMs: milliseconds(148),
    rttMs: milliseconds(68),
    windowBytes: info.readUInt32LE(16) * info.readUInt32LE(80),
  };
}

const mostOptionBytes = 256;
/** Where options are read to, and behind that their length. */
const optionMemory = new NativeMemory(mostOptionBytes + 4);

/** A TCP option as its bytes, with zeros where the kernel has less; they are valid until the next call. */
function readTcpOption(fd: number, option: number, size: number): Buffer {
  const { address, buffer } = optionMemory;
  buffer.fill(0);
  buffer.writeUInt32LE(size, mostOptionBytes);
  checked("getsockopt", getsockoptFunction(fd, IPPROTO_TCP, option, address, address + mostOptionBytes));
  return buffer.subarray(0, size);
}

/** How much later than asked the kernel may end the calling thread's waits, to wake it less often; 50,000 unless set. */
export function setTimerSlack(nanoseconds: number): void {
  const PR_SET_TIMERSLACK = 29;
  checked("prctl(PR_SET_TIMERSLACK)", prctlFunction(PR_SET_TIMERSLACK, nanoseconds));
}

/** Takes an exclusive lock that ends with the process; false when another process holds it. */
export function tryLock(fd: number): boolean {
  const [LOCK_EX, LOCK_NB] = [2, 4];
  return flockFunction(fd, LOCK_EX | LOCK_NB) === 0;
}
