import { errno, lastErrno, NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { dataBytes, type FrameSink, frameType, maxDataFrameBytes, parseFrames, vnetHeaderBytes } from "./frame.js";
import { recv } from "../../../lib/net/socket-calls.js";
import { write } from "../native.js";
import { stat } from "./stats.js";
import { maxRecordBytes, RecordOpener } from "./tls-record.js";
import type { EstablishedConnection } from "../threads/cable-orders.js";

/** Bytes read from the socket at most at once. */
const readBytes = 256 * 1024;
/** What is read at least, and frames it should make: as small frames cost more, it bounds the time one cable keeps its worker. */
const leastReadBytes = 32 * 1024;
const turnFrames = 384;
/** In front of the first frame there is room for a virtio-net header, see {@link Receiver}. */
const headroomBytes = 16;
const wireBytes = readBytes + maxRecordBytes;
/** Plaintext is never longer than what was read, plus an incomplete frame from before. */
const plainBytes = headroomBytes + maxDataFrameBytes + wireBytes;

const MSG_DONTWAIT = 0x40;

/** The peer closed its side. */
export class EndOfStream extends Error {
  constructor() {
    super("the peer closed the connection");
    this.name = "EndOfStream";
  }
}

/** Socket to tap. Never waits. Frames other than data go to the sink, whose payload bytes are valid during the call only. */
export class Receiver implements FrameSink {
  readonly #fd: number;
  readonly #tapFd: number;
  readonly #stats: Float64Array;
  readonly #vnet: boolean;
  readonly #opener: RecordOpener | undefined;
  /** Sealed bytes, an incomplete record; only with encryption. */
  readonly #wire: { readonly memory: NativeMemory; start: number; end: number } | undefined;
  /** [plainStart, plainEnd) is an incomplete frame. */
  readonly #plain = new NativeMemory(plainBytes);
  #plainStart = headroomBytes;
  #plainEnd = headroomBytes;
  #nextReadBytes = readBytes;
  /** Frames of the last read. */
  #frames = 0;
  #leftover: Uint8Array;
  readonly #onControl: (type: number, payload: Buffer) => void;

  constructor(options: {
    readonly established: EstablishedConnection;
    readonly tapFd: number;
    readonly stats: Float64Array;
    readonly onControl: (type: number, payload: Buffer) => void;
  }) {
    const { established } = options;
    this.#fd = established.fd;
    this.#tapFd = options.tapFd;
    this.#stats = options.stats;
    this.#vnet = established.offload !== "none";
    this.#leftover = established.leftover;
    this.#onControl = options.onControl;
    if (established.tls !== undefined) {
      this.#opener = new RecordOpener(established.tls.receive);
      this.#wire = { memory: new NativeMemory(wireBytes), start: 0, end: 0 };
    }
  }

  /** Handles what was read before this object existed. Call once, before {@link turn}. */
  begin(): void {
    const leftover = this.#leftover;
    this.#leftover = new Uint8Array(0);
    for (let at = 0; at < leftover.length; at += readBytes) {
      const part = leftover.subarray(at, at + readBytes);
      const { memory, offset } = this.#makeRoom();
      memory.buffer.set(part, offset);
      this.#took(part.length);
    }
  }

  /**
   * Reads once and handles what came. False when there was nothing.
   * @throws {EndOfStream} @throws {SystemCallError} when the connection is broken. @throws {ProtocolError}
   */
  turn(): boolean {
    const { memory, offset } = this.#makeRoom();
    const got = recv(this.#fd, memory.address + offset, this.#nextReadBytes, MSG_DONTWAIT);
    if (got < 0) {
      const code = lastErrno();
      if (code === errno.EAGAIN || code === errno.EINTR) return false;
      throw new SystemCallError("recv", code);
    }
    if (got === 0) throw new EndOfStream();
    this.#frames = 0;
    this.#took(got);
    const wanted = Math.ceil((got * turnFrames) / (this.#frames + 1));
    this.#nextReadBytes = Math.max(leastReadBytes, Math.min(readBytes, wanted));
    return true;
  }

  /** {@link FrameSink} */
  frame(type: number, offset: number, length: number): void {
    this.#frames += 1;
    if (type === frameType.data) this.#deliver(offset, length);
    else this.#onControl(type, this.#plain.buffer.subarray(offset, offset + length));
  }

  free(): void {
    this.#opener?.free();
  }

  /** Moves what is incomplete to the front so that {@link readBytes} fit behind it. */
  #makeRoom(): { memory: NativeMemory; offset: number } {
    this.#compactPlain();
    const wire = this.#wire;
    if (wire === undefined) {
      this.#room.memory = this.#plain;
      this.#room.offset = this.#plainEnd;
      return this.#room;
    }
    if (wire.start > 0) {
      wire.memory.buffer.copyWithin(0, wire.start, wire.end);
      wire.end -= wire.start;
      wire.start = 0;
    }
    this.#room.memory = wire.memory;
    this.#room.offset = wire.end;
    return this.#room;
  }

  readonly #room: { memory: NativeMemory; offset: number } = { memory: this.#plain, offset: 0 };

  #compactPlain(): void {
    if (this.#plainStart === headroomBytes) return;
    this.#plain.buffer.copyWithin(headroomBytes, this.#plainStart, this.#plainEnd);
    this.#plainEnd -= this.#plainStart - headroomBytes;
    this.#plainStart = headroomBytes;
  }

  /** `got` bytes were put where {@link makeRoom} said. */
  #took(got: number): void {
    let closed = false;
    const wire = this.#wire;
    if (wire === undefined || this.#opener === undefined) {
      this.#plainEnd += got;
    } else {
      wire.end += got;
      const opened = this.#opener.open(wire, this.#plain, this.#plainEnd, plainBytes);
      wire.start = opened.consumedTo;
      this.#plainEnd = opened.plainEnd;
      closed = opened.closed;
    }
    this.#plainStart = parseFrames(this.#plain.buffer, this.#plainStart, this.#plainEnd, this);
    if (closed) throw new EndOfStream();
  }

  #deliver(offset: number, length: number): void {
    let from = offset;
    let size = length;
    if (!this.#vnet) {
      // The bytes in front belong to the frame's header and to frames handled before.
      from -= vnetHeaderBytes;
      size += vnetHeaderBytes;
      this.#plain.buffer.fill(0, from, offset);
    }
    const stats = this.#stats;
    const accepted =
      size >= vnetHeaderBytes + dataBytes.min && write(this.#tapFd, this.#plain.address + from, size) === size;
    if (!accepted) {
      stats[stat.droppedPortFrames] = (stats[stat.droppedPortFrames] ?? 0) + 1;
      return;
    }
    stats[stat.rxFrames] = (stats[stat.rxFrames] ?? 0) + 1;
    stats[stat.rxBytes] = (stats[stat.rxBytes] ?? 0) + size - vnetHeaderBytes;
  }
}
