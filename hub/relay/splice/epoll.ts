import { checked, close, errno, lastErrno, NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { createEpoll, epollControl, epollWait } from "./native.js";

const EPOLLIN = 0x001;
const EPOLLOUT = 0x004;
const EPOLLERR = 0x008;
const EPOLLHUP = 0x010;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 0x8000_0000;
const [add, remove] = [1, 2];

/** struct epoll_event: 32 bits of events and 64 of data; packed on x86-64 only. */
const [eventBytes, dataAt] = process.arch === "x64" ? [12, 4] : [16, 8];
const eventsAtOnce = 256;

/** What became of one side of something that is waited for. */
export interface EpollEvent {
  readonly id: number;
  readonly side: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** The connection is broken. */
  readonly broken: boolean;
}

/** Waits for descriptors (epoll(7)). Each is told by an id, below 2^32, and a side. */
export class Epoll {
  readonly #fd = createEpoll();
  readonly #one = new NativeMemory(eventBytes);
  readonly #events = new NativeMemory(eventBytes * eventsAtOnce);

  /** Waits for a socket: each time bytes come or can be sent anew, it is told once (edge-triggered). @throws */
  addSocket(fd: number, id: number, side: number): void {
    this.#add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, { id, side });
  }

  /** Waits for a counter: it is told for as long as it was not read. @throws */
  addCounter(fd: number, id: number): void {
    this.#add(fd, EPOLLIN, { id, side: 0 });
  }

  /** A descriptor that is not waited for is no error. */
  remove(fd: number): void {
    epollControl(this.#fd, remove, fd, this.#one.address);
  }

  /** Waits at most so long. @throws */
  wait(timeoutMs: number): readonly EpollEvent[] {
    const count = epollWait(this.#fd, this.#events.address, eventsAtOnce, Math.ceil(timeoutMs));
    if (count < 0 && lastErrno() !== errno.EINTR) throw new SystemCallError("epoll_wait", lastErrno());
    return Array.from({ length: Math.max(0, count) }, (_, index) => this.#read(index * eventBytes));
  }

  close(): void {
    close(this.#fd);
  }

  #read(at: number): EpollEvent {
    const { buffer } = this.#events;
    const events = buffer.readUInt32LE(at);
    return {
      id: buffer.readUInt32LE(at + dataAt),
      side: buffer.readUInt32LE(at + dataAt + 4),
      readable: (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) !== 0,
      writable: (events & (EPOLLOUT | EPOLLHUP)) !== 0,
      broken: (events & EPOLLERR) !== 0,
    };
  }

  #add(fd: number, events: number, { id, side }: Pick<EpollEvent, "id" | "side">): void {
    const { buffer, address } = this.#one;
    buffer.writeUInt32LE(events >>> 0, 0);
    buffer.writeUInt32LE(id, dataAt);
    buffer.writeUInt32LE(side, dataAt + 4);
    checked("epoll_ctl", epollControl(this.#fd, add, fd, address));
  }
}
