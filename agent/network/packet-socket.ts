import { checked, close, errno, lastErrno, libc, NativeMemory, SystemCallError } from "../../lib/libc.js";
import { createPacketSocket, recv, send, setSocketOption } from "../../lib/net/socket-calls.js";
import { visitNetns } from "../../lib/net/visit-netns.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype next to each cast is what makes it true.
const bindFunction = libc.func("int bind(int fd, size_t address, uint length)") as unknown as (
  fd: number,
  address: number,
  length: number,
) => number;

const AF_PACKET = 17;
const [SOL_SOCKET, SO_ATTACH_FILTER, SOL_PACKET, PACKET_IGNORE_OUTGOING] = [1, 26, 263, 23];
const ETH_P_ALL = 3;
const MSG_DONTWAIT = 0x40;
const maxFrameBytes = 2048;

/** Which frames a socket is for. */
type FrameKind =
  | {
      /** MAC address, six bytes. */
      readonly destination: Buffer;
      readonly ethertype: number;
    }
  /** Messages of ICMPv6, to whomever. */
  | "icmpv6";

/** Sends and receives frames of one kind on a network device, beside whatever else it is for (packet(7)). */
export class PacketSocket {
  readonly #fd: number;
  readonly #memory = new NativeMemory(maxFrameBytes);

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * @param device.ifindex in `netns`, a named net namespace; undefined: the thread's own.
   * @throws {SystemCallError} such as ENODEV.
   */
  static open(device: { readonly ifindex: number; readonly netns: string | undefined }, kind: FrameKind): PacketSocket {
    const fd = visitNetns(device.netns, createPacketSocket);
    if (fd === undefined) throw new SystemCallError("socket(AF_PACKET)", lastErrno());
    try {
      attachFilter(fd, kind === "icmpv6" ? icmpv6Filter : filterOf(kind));
      ignoreOutgoing(fd);
      bindPacketSocket(fd, device.ifindex);
      return new PacketSocket(fd);
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** @throws {SystemCallError} such as ENETDOWN. */
  send(frame: Buffer): void {
    frame.copy(this.#memory.buffer);
    if (send(this.#fd, this.#memory.address, frame.length, MSG_DONTWAIT) < 0) {
      throw new SystemCallError("send", lastErrno());
    }
  }

  /** The next frame that has come, cut off after 2048 bytes; undefined: there is none. @throws {SystemCallError} such as ENETDOWN. */
  receive(): Buffer | undefined {
    const count = recv(this.#fd, this.#memory.address, maxFrameBytes, MSG_DONTWAIT);
    if (count >= 0) return Buffer.from(this.#memory.buffer.subarray(0, count));
    const code = lastErrno();
    if (code === errno.EAGAIN || code === errno.EINTR) return undefined;
    throw new SystemCallError("recv", code);
  }

  close(): void {
    close(this.#fd);
  }
}

/** Has a socket hear only what comes in at its devices. */
export function ignoreOutgoing(fd: number): void {
  setSocketOption(fd, { level: SOL_PACKET, option: PACKET_IGNORE_OUTGOING, what: "PACKET_IGNORE_OUTGOING" }, 1);
}

/** Instructions of classic BPF: code, jump if true and if false, operand. */
export type Instructions = readonly (readonly [number, number, number, number])[];

function filterOf({ destination, ethertype }: Exclude<FrameKind, "icmpv6">): Instructions {
  return [
    // Load the ethertype and both parts of the destination; if all are these take the frame, else none of it.
    [0x28, 0, 0, 12],
    [0x15, 0, 5, ethertype],
    [0x20, 0, 0, 0],
    [0x15, 0, 3, destination.readUInt32BE(0)],
    [0x28, 0, 0, 4],
    [0x15, 0, 1, destination.readUInt16BE(4)],
    [0x06, 0, 0, maxFrameBytes],
    [0x06, 0, 0, 0],
  ];
}

/** The ethertype of IPv6 and, directly behind its header, ICMPv6. */
const icmpv6Filter: Instructions = [
  [0x28, 0, 0, 12],
  [0x15, 0, 3, 0x86dd],
  [0x30, 0, 0, 20],
  [0x15, 0, 1, 58],
  [0x06, 0, 0, maxFrameBytes],
  [0x06, 0, 0, 0],
];

/** Lets the kernel drop what is not of this kind before it costs anything and takes the place of what is (classic BPF). */
export function attachFilter(fd: number, instructions: Instructions): void {
  const program = new NativeMemory(instructions.length * 8);
  for (const [index, [code, ifTrue, ifFalse, operand]] of instructions.entries()) {
    program.buffer.writeUInt16LE(code, index * 8);
    program.buffer.set([ifTrue, ifFalse], index * 8 + 2);
    program.buffer.writeUInt32LE(operand, index * 8 + 4);
  }
  attachProgram(fd, program);
}

/** The same with a program as the kernel has it: eight bytes an instruction. */
export function attachProgram(fd: number, program: NativeMemory): void {
  // struct sock_fprog: 16 bits of length and, at 8, a pointer.
  const value = Buffer.alloc(16);
  value.writeUInt16LE(program.buffer.length / 8, 0);
  value.writeBigUInt64LE(BigInt(program.address), 8);
  setSocketOption(fd, { level: SOL_SOCKET, option: SO_ATTACH_FILTER, what: "SO_ATTACH_FILTER" }, value);
}

/** Has a socket hear a device; 0: all of its net namespace. */
export function bindPacketSocket(fd: number, ifindex: number): void {
  // struct sockaddr_ll; a switch takes frames from its ports before sockets of a single protocol see them, not before those of all.
  const address = new NativeMemory(20);
  address.buffer.fill(0);
  address.buffer.writeUInt16LE(AF_PACKET, 0);
  address.buffer.writeUInt16BE(ETH_P_ALL, 2);
  address.buffer.writeInt32LE(ifindex, 4);
  checked("bind", bindFunction(fd, address.address, 20));
}
