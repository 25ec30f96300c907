import { errno, lastErrno, NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { ppoll } from "../native.js";

export const POLLIN = 0x001;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
/** struct pollfd: int fd; short events; short revents. */
const entryBytes = 8;
const nanosecondsPerMs = 1_000_000;

/** Descriptors to wait for, in native memory, with timeouts finer than a millisecond (ppoll(2)). */
export class PollSet {
  readonly #memory: NativeMemory;
  readonly #fds: Int32Array;
  readonly #events: Int16Array;
  readonly #count: number;
  /** struct timespec: seconds and nanoseconds, 64 bits each. */
  readonly #timeout = new NativeMemory(16);
  readonly #timeoutWords: Uint32Array;

  constructor(count: number) {
    this.#count = count;
    this.#memory = new NativeMemory(count * entryBytes);
    const { buffer, byteOffset } = this.#memory.buffer;
    this.#fds = new Int32Array(buffer, byteOffset, count * 2);
    this.#events = new Int16Array(buffer, byteOffset, count * 4);
    this.#timeoutWords = new Uint32Array(this.#timeout.buffer.buffer, this.#timeout.buffer.byteOffset, 4);
    this.#timeoutWords.fill(0);
  }

  /** A negative descriptor is not waited for. */
  put(index: number, fd: number, events: number): void {
    this.#fds[index * 2] = fd;
    this.#events[index * 4 + 2] = events;
    this.#events[index * 4 + 3] = 0;
  }

  /** Waits at most so long. True when something is ready. */
  wait(timeoutMs: number): boolean {
    const seconds = Math.floor(timeoutMs / 1000);
    // Rounding must not make a whole second of them.
    const nanoseconds = Math.min(999_999_999, Math.round((timeoutMs - seconds * 1000) * nanosecondsPerMs));
    this.#timeoutWords[0] = seconds;
    this.#timeoutWords[2] = nanoseconds;
    const ready = ppoll(this.#memory.address, this.#count, this.#timeout.address, 0);
    if (ready >= 0) return ready > 0;
    const code = lastErrno();
    if (code !== errno.EINTR) throw new SystemCallError("ppoll", code);
    return false;
  }

  got(index: number): number {
    return this.#events[index * 4 + 3] ?? 0;
  }
}
