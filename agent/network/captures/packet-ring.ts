import koffi from "koffi";
import { directions } from "../../../lib/capture/pcapng.js";
import { checked, close, lastErrno, libc, NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { createPacketSocket, setSocketOption } from "../../../lib/net/socket-calls.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";
import { attachProgram, bindPacketSocket } from "../packet-socket.js";
import { packInstructions, takeNone } from "./bpf.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype next to each cast is what makes it true.
const mmap = libc.func(
  "size_t mmap(size_t address, size_t length, int protection, int flags, int fd, long offset)",
) as unknown as (...args: readonly [number, number, number, number, number, number]) => number;
const munmap = libc.func("int munmap(size_t address, size_t length)") as unknown as (
  address: number,
  length: number,
) => number;
const pause = libc.func("int poll(size_t fds, ulong count, int timeout)") as unknown as (
  fds: number,
  count: number,
  timeoutMs: number,
) => number;
const getsockopt = libc.func("int getsockopt(int fd, int level, int name, size_t value, size_t length)") as unknown as (
  ...args: readonly [number, number, number, number, number]
) => number;

const [SOL_SOCKET, SOL_PACKET, SO_ERROR] = [1, 263, 4];
const [PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING] = [5, 6, 10, 23];
const [TPACKET_V3, PACKET_OUTGOING] = [2, 4];
const [PROT_READ, PROT_WRITE, MAP_SHARED] = [1, 2, 1];
/**
 * Of struct tpacket_req3: a frame of 64 KiB fits into the smallest block; one is given over when it is full, or after this time. Whoever reads is
 * woken for each, and each goes its whole way by itself: few large ones cost the machine the least.
 */
const [smallestBlock, largestBlock, frameBytes, retireMs] = [128 * 1024, 512 * 1024, 2048, 100];
/** A ring has at least so many blocks, unless they would be too small. */
const leastBlocks = 32;
/** Largest address that mmap(2) gives; what is above says that it failed. */
const maxAddress = 2 ** 63;

/** Words of struct tpacket_block_desc: to whom the block belongs, its frames, where the first one is, its number, from 1 on. */
const [statusWord, countWord, firstWord, sequenceWord] = [2, 3, 4, 6];
const [ofKernel, ofReader] = [0, 1];
/** Offsets in struct tpacket3_hdr; behind it, 16-byte aligned, struct sockaddr_ll. */
const header = {
  next: 0,
  seconds: 4,
  nanoseconds: 8,
  kept: 12,
  length: 16,
  status: 20,
  mac: 24,
  tag: 32,
  protocol: 36,
};
const packetTypeAt = 48 + 10;
const [tagIsValid, protocolIsValid] = [0x10, 0x40];
const ieee8021q = 0x8100;

/** So long a frame may still be on its way into a ring that takes no more. */
const underWayMs = 2;

/** A frame in a ring, valid until the next one is read. */
export interface RingFrame {
  seconds: number;
  nanoseconds: number;
  /** Where it begins in the ring, and what of it is there. */
  at: number;
  kept: number;
  /** Bytes that it had, without a tag that the kernel took out. */
  length: number;
  /** As the device sees it. */
  direction: number;
  /** Protocol and tag that the kernel took out, as one word of 32 bits; 0: none. */
  tag: number;
}

/** Where frames are captured. */
export interface RingOptions {
  readonly ifindex: number;
  /** Named net namespace; undefined: the thread's own. */
  readonly netns: string | undefined;
  /** Only what comes in at the device. */
  readonly incomingOnly: boolean;
  /** Program of classic BPF, packed. */
  readonly program: Uint8Array;
  /** Memory for frames that wait to be read. */
  readonly ringBytes: number;
}

/** Frames of a device in memory that the kernel shares (packet(7), TPACKET_V3): none is copied by a call. */
export class PacketRing {
  readonly fd: number;
  readonly bytes: Buffer;
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #address: number;
  readonly #blocks: number;
  readonly #blockBytes: number;
  #block = 0;
  /** Number of the block that was read last. */
  #sequence = 0;
  #read = 0;
  #queued = 0;
  #dropped = 0;
  readonly #frame: RingFrame = { seconds: 0, nanoseconds: 0, at: 0, kept: 0, length: 0, direction: 0, tag: 0 };
  readonly #statistics = new NativeMemory(16);

  private constructor(fd: number, { blocks, blockBytes }: { readonly blocks: number; readonly blockBytes: number }) {
    this.fd = fd;
    this.#blocks = blocks;
    this.#blockBytes = blockBytes;
    const size = blocks * blockBytes;
    const address = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address > maxAddress) throw new SystemCallError("mmap", lastErrno());
    this.#address = address;
    const memory = koffi.view(address, size);
    this.bytes = Buffer.from(memory);
    this.#view = new DataView(memory);
    this.#words = new Int32Array(memory);
  }

  /** @throws {SystemCallError} such as ENODEV; undefined: there is no such namespace any more. */
  static open({ ifindex, netns, incomingOnly, program, ringBytes }: RingOptions): PacketRing | undefined {
    const fd = visitNetns(netns, createPacketSocket);
    if (fd === undefined) return undefined;
    try {
      attach(fd, program);
      const packet = (option: number, what: string, value: Buffer | number): void =>
        setSocketOption(fd, { level: SOL_PACKET, option, what }, value);
      if (incomingOnly) packet(PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING", 1);
      packet(PACKET_VERSION, "PACKET_VERSION", TPACKET_V3);
      const blockBytes = blockBytesOf(ringBytes);
      const blocks = Math.max(2, Math.floor(ringBytes / blockBytes));
      // struct tpacket_req3: block size and count, frame size and count, timeout, private bytes, features.
      const request = Buffer.alloc(28);
      const frames = (blocks * blockBytes) / frameBytes;
      for (const [at, value] of [blockBytes, blocks, frameBytes, frames, retireMs].entries())
        request.writeUInt32LE(value, at * 4);
      packet(PACKET_RX_RING, "PACKET_RX_RING", request);
      const ring = new PacketRing(fd, { blocks, blockBytes });
      bindPacketSocket(fd, ifindex);
      return ring;
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** Frames that passed the filter and those of them that there was no room for, since it was opened. */
  get counts(): { readonly received: number; readonly dropped: number } {
    return { received: this.#queued + this.#dropped, dropped: this.#dropped };
  }

  /** Time of the last frame that was read, in nanoseconds since 1970; 0: none was. */
  get lastNs(): bigint {
    return BigInt(this.#frame.seconds) * 1_000_000_000n + BigInt(this.#frame.nanoseconds);
  }

  /** Takes note of an error of the device, such as that it went down; when it is up again frames come again. */
  clearError(): void {
    const { address, buffer } = this.#statistics;
    buffer.writeUInt32LE(4, 12);
    checked("getsockopt", getsockopt(this.fd, SOL_SOCKET, SO_ERROR, address, address + 12));
  }

  /** Frames that wait to be read, in blocks that are not given over yet too. Asks the kernel. */
  countWaiting(): number {
    const { address, buffer } = this.#statistics;
    buffer.writeUInt32LE(12, 12);
    checked("getsockopt", getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, address, address + 12));
    // What was dropped is counted among the packets; reading sets both to zero.
    const dropped = buffer.readUInt32LE(4);
    this.#queued += buffer.readUInt32LE(0) - dropped;
    this.#dropped += dropped;
    return this.#queued - this.#read;
  }

  /** Hands the frames of the next block that is given over to `take` and gives it back. False: there is none. */
  readBlock(take: (frame: RingFrame) => void): boolean {
    const start = this.#block * this.#blockBytes;
    const status = start / 4 + statusWord;
    if ((Atomics.load(this.#words, status) & ofReader) === 0) return false;
    this.#readFrames(start, take);
    this.#sequence = this.#view.getUint32(start + sequenceWord * 4, true);
    Atomics.store(this.#words, status, ofKernel);
    this.#block = (this.#block + 1) % this.#blocks;
    return true;
  }

  /** Hands over all that there is, also of the block that is not full yet; no frame comes after that. */
  readRest(take: (frame: RingFrame) => void): void {
    attach(this.fd, packInstructions(takeNone));
    pause(0, 0, underWayMs);
    while (this.readBlock(take));
    const start = this.#block * this.#blockBytes;
    // Where there was no room for a block, this one was read before.
    if (this.#view.getUint32(start + sequenceWord * 4, true) === this.#sequence + 1) this.#readFrames(start, take);
  }

  /** Lets go of the device; nothing of the ring may be read any more. */
  close(): void {
    munmap(this.#address, this.#blocks * this.#blockBytes);
    close(this.fd);
  }

  #readFrames(start: number, take: (frame: RingFrame) => void): void {
    const view = this.#view;
    const count = view.getUint32(start + countWord * 4, true);
    let at = start + view.getUint32(start + firstWord * 4, true);
    const frame = this.#frame;
    for (let index = 0; index < count; index += 1) {
      frame.seconds = view.getUint32(at + header.seconds, true);
      frame.nanoseconds = view.getUint32(at + header.nanoseconds, true);
      frame.kept = view.getUint32(at + header.kept, true);
      frame.length = view.getUint32(at + header.length, true);
      frame.at = at + view.getUint16(at + header.mac, true);
      frame.direction = view.getUint8(at + packetTypeAt) === PACKET_OUTGOING ? directions.outbound : directions.inbound;
      frame.tag = this.#tagOf(at);
      take(frame);
      at += view.getUint32(at + header.next, true);
    }
    this.#read += count;
  }

  #tagOf(at: number): number {
    const status = this.#view.getUint32(at + header.status, true);
    if ((status & tagIsValid) === 0) return 0;
    const protocol = (status & protocolIsValid) === 0 ? ieee8021q : this.#view.getUint16(at + header.protocol, true);
    return protocol * 65_536 + (this.#view.getUint32(at + header.tag, true) & 0xffff);
  }
}

/** A power of two, as pages are. */
function blockBytesOf(ringBytes: number): number {
  let size = smallestBlock;
  while (size < largestBlock && ringBytes / (size * 2) >= leastBlocks) size *= 2;
  return size;
}

/** Before anything can come: not one frame that the filter does not want is to be there. */
function attach(fd: number, program: Uint8Array): void {
  const memory = new NativeMemory(program.length);
  memory.buffer.set(program);
  attachProgram(fd, memory);
}
