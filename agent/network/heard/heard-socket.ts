import { checked, close, errno, lastErrno, libc, NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { createPacketSocket, setSocketOption } from "../../../lib/net/socket-calls.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";
import { attachFilter, bindPacketSocket, ignoreOutgoing, type Instructions } from "../packet-socket.js";
import { readBytes } from "./said-address.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype next to each cast is what makes it true.
const recvfrom = libc.func(
  "long recvfrom(int fd, size_t buffer, size_t count, int flags, size_t address, size_t length)",
) as unknown as (fd: number, buffer: number, count: number, flags: number, address: number, length: number) => number;

const [SOL_SOCKET, SO_RCVBUFFORCE] = [1, 33];
const [MSG_DONTWAIT, MSG_TRUNC] = [0x40, 0x20];
const sockaddrBytes = 20;
/** Frames wait here until they are read; what comes when it is full the kernel drops. */
const bufferBytes = 1024 * 1024;
/** Devices that can be left unheard at once. */
export const maxMuted = 64;

/** A frame that came in at a device. */
export interface HeardFrame {
  readonly ifindex: number;
  readonly frame: Buffer;
}

/**
 * Hears the ARP and neighbour discovery frames that come in at any device of a net namespace; the kernel drops all others, and cuts off what
 * is not read. Nobody is woken by a frame: they wait in a bounded buffer until somebody looks.
 */
export class HeardSocket {
  readonly #fd: number;
  readonly #frame = new NativeMemory(readBytes);
  readonly #address = new NativeMemory(sockaddrBytes);
  readonly #length = new NativeMemory(4);

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws {SystemCallError} */
  static open(netns: string): HeardSocket {
    const fd = visitNetns(netns, createPacketSocket);
    if (fd === undefined) throw new SystemCallError("socket(AF_PACKET)", lastErrno());
    try {
      const socket = new HeardSocket(fd);
      socket.mute([]);
      ignoreOutgoing(fd);
      setSocketOption(fd, { level: SOL_SOCKET, option: SO_RCVBUFFORCE, what: "SO_RCVBUFFORCE" }, bufferBytes);
      bindPacketSocket(fd, 0);
      return socket;
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** Hears nothing of these devices from now on, and all others. @throws {SystemCallError} */
  mute(ifindexes: readonly number[]): void {
    attachFilter(this.#fd, filterOf(ifindexes.slice(0, maxMuted)));
  }

  /** The next frame; undefined: none waits. @throws {SystemCallError} */
  next(): HeardFrame | undefined {
    this.#length.buffer.writeUInt32LE(sockaddrBytes);
    const { address: into } = this.#frame;
    const [from, length] = [this.#address.address, this.#length.address];
    const count = recvfrom(this.#fd, into, readBytes, MSG_DONTWAIT | MSG_TRUNC, from, length);
    if (count < 0) {
      const code = lastErrno();
      if (code === errno.EAGAIN || code === errno.EINTR) return undefined;
      return checked("recvfrom", -1) as never;
    }
    // struct sockaddr_ll: family and protocol of 16 bits each, then the index.
    const ifindex = this.#address.buffer.readInt32LE(4);
    return { ifindex, frame: Buffer.from(this.#frame.buffer.subarray(0, Math.min(count, readBytes))) };
  }

  close(): void {
    close(this.#fd);
  }
}

/** Of devices that are not muted: ARP, and of IPv6 what has ICMPv6 of type 135 or 136 directly behind its header. Tags are the kernel's by then. */
function filterOf(muted: readonly number[]): Instructions {
  const rest: Instructions = [
    [0x28, 0, 0, 12],
    [0x15, 6, 0, 0x0806],
    [0x15, 0, 6, 0x86dd],
    [0x30, 0, 0, 20],
    [0x15, 0, 4, 58],
    [0x30, 0, 0, 54],
    [0x15, 1, 0, 135],
    [0x15, 0, 1, 136],
    [0x06, 0, 0, readBytes],
    [0x06, 0, 0, 0],
  ];
  return muted.length === 0 ? rest : [...muteOf(muted, rest.length), ...rest];
}

/** Loads the index of the device (SKF_AD_IFINDEX) and jumps to the last instruction of what follows when it is one of these. */
function muteOf(muted: readonly number[], following: number): Instructions {
  const jumps = muted.map((ifindex, at) => [0x15, muted.length - at - 1 + following - 1, 0, ifindex] as const);
  return [[0x20, 0, 0, 0xffff_f008], ...jumps];
}
