import koffi from "koffi";

/**
 * The C library, for system calls that Node does not offer, called through koffi. Where a call must not allocate, memory is passed as
 * plain numbers (user space addresses are below 2^47); the owner of a {@link NativeMemory} keeps it alive for as long as any call may
 * use its address. koffi types every function as (...args: any[]) => any: callers cast to what the C prototype beside the cast says.
 */
export const libc: ReturnType<typeof koffi.load> = koffi.load("libc.so.6");

/** Error numbers of Linux, the same on every architecture Node runs on. */
export const errno = {
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EAGAIN: 11,
  EINVAL: 22,
  EPIPE: 32,
  ENOPROTOOPT: 92,
  EOPNOTSUPP: 95,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ETIMEDOUT: 110,
} as const;

/** errno of the last failed call in this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Name of an error number, "ECONNRESET". */
export function errnoName(code: number): string {
  for (const [name, value] of Object.entries(koffi.os.errno)) if (value === code) return name;
  return `errno ${code}`;
}

/** A system call failed. */
export class SystemCallError extends Error {
  readonly errno: number;

  constructor(call: string, code: number) {
    super(`${call} failed: ${errnoName(code)}`);
    this.name = "SystemCallError";
    this.errno = code;
  }
}

/** The result of a call. @throws {SystemCallError} when it is negative. */
export function checked(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, lastErrno());
  return result;
}

/** Memory whose address the kernel and other libraries may be given. It never moves; it lives as long as this object. */
export class NativeMemory {
  readonly buffer: Buffer;
  readonly address: number;

  /** @param size bytes, of any content; pages that are never touched cost nothing. */
  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(size);
    this.address = Number(koffi.address(this.buffer));
  }
}

/** close(2). Node's own warns, in a thread, of descriptors that it did not open. */
export const close = libc.func("int close(int fd)") as unknown as (fd: number) => number;

const eventfdFunction = libc.func("int eventfd(uint initial, int flags)") as unknown as (
  initial: number,
  flags: number,
) => number;

/** A counter that another thread can wait for, with poll(2) or epoll(7). @throws {SystemCallError} when too many files are open. */
export function createEventFd(): number {
  const [EFD_CLOEXEC, EFD_NONBLOCK] = [0o2000000, 0o4000];
  return checked("eventfd", eventfdFunction(0, EFD_CLOEXEC | EFD_NONBLOCK));
}
