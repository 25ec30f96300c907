import { errno, lastErrno, NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { Congestion } from "./congestion.js";
import { DrainMeter } from "./drain-meter.js";
import { dataBytes, frameType, headerBytes, maxDataFrameBytes, vnetHeaderBytes, writeHeader } from "./frame.js";
import { send } from "../../../lib/net/socket-calls.js";
import { read, setTcpOption } from "../native.js";
import { limitsFor, type QueueLimits, widest } from "./queue-limits.js";
import { stat } from "./stats.js";
import { RecordSealer, sealedBytes } from "./tls-record.js";
import type { EstablishedConnection } from "../threads/cable-orders.js";

/** Frames gathered at most: bounds the time one cable keeps its worker. */
const batchFrames = 256;
/** Room for control frames behind a full batch. */
const controlBytes = 64 * 1024;
const bufferBytes = widest.batchBytes + maxDataFrameBytes + controlBytes + 1;

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Of sockets that are not TCP. */
const unknownOption: ReadonlySet<number> = new Set([errno.EOPNOTSUPP, errno.ENOPROTOOPT]);

/** Tap to socket. Never waits; what the socket does not take stays in the buffer and the tap is not read until it is gone. */
export class Sender {
  readonly #fd: number;
  readonly #tapFd: number;
  readonly #stats: Float64Array;
  readonly #vnet: boolean;
  readonly #plain = new NativeMemory(bufferBytes);
  readonly #sealer: RecordSealer | undefined;
  readonly #sealed: NativeMemory | undefined;
  /** Gathered plaintext is [0, plainEnd); of what goes to the socket, [start, end) of `#wire` is left. */
  #plainEnd = 0;
  #start = 0;
  #end = 0;
  readonly #congestion: Congestion;
  readonly #drained = new DrainMeter();
  /** When the last byte that waited was sent; NaN: bytes wait, or nothing is known. */
  #emptiedMs = Number.NaN;
  #limits: QueueLimits = widest;
  /** Of the lan, since the limits were last looked at. */
  #frames = 0;
  #bytes = 0;

  constructor(options: {
    readonly established: EstablishedConnection;
    readonly tapFd: number;
    readonly stats: Float64Array;
  }) {
    const { established } = options;
    this.#fd = established.fd;
    this.#tapFd = options.tapFd;
    this.#stats = options.stats;
    this.#vnet = established.offload !== "none";
    this.#congestion = new Congestion(established.fd);
    if (established.tls !== undefined) {
      this.#sealer = new RecordSealer(established.tls.send);
      this.#sealed = new NativeMemory(sealedBytes(bufferBytes));
    }
  }

  /** Something waits for room in the socket. */
  get blocked(): boolean {
    return this.#end > this.#start;
  }

  /** Appends a control frame; false when there is no room, which is only so when the peer has long not read. */
  control(type: number, payload: Uint8Array): boolean {
    const total = headerBytes + payload.length;
    if (this.#plainEnd + total >= bufferBytes) return false;
    writeHeader(this.#plain.buffer, this.#plainEnd, type, payload.length);
    this.#plain.buffer.set(payload, this.#plainEnd + headerBytes);
    this.#plainEnd += total;
    return true;
  }

  /**
   * Appends a frame of the lan that did not come from the tap just now, virtio-net header first. False when the socket must take
   * more first. {@link flush} sends it. @throws {SystemCallError} when the connection is broken.
   */
  offer(source: NativeMemory, offset: number, length: number): boolean {
    if (this.blocked) return false;
    if (this.#plainEnd >= this.#limits.batchBytes && !this.flush()) return false;
    const from = this.#vnet ? offset : offset + vnetHeaderBytes;
    const size = offset + length - from;
    writeHeader(this.#plain.buffer, this.#plainEnd, frameType.data, size);
    source.buffer.copy(this.#plain.buffer, this.#plainEnd + headerBytes, from, from + size);
    this.#plainEnd += headerBytes + size;
    this.#count(1, length - vnetHeaderBytes);
    return true;
  }

  /**
   * Sends what is gathered, then reads one batch from the tap and sends it.
   * @throws {SystemCallError} when the connection is broken.
   */
  turn(): void {
    if (!this.flush()) return;
    const tapEmpty = this.#gather();
    if (this.flush() && tapEmpty && this.#drained.saturated) this.#drained.emptied(performance.now());
  }

  /** Fits the queues to what the connection has taken since the last call. Returns how many frames the tap should hold. */
  tune(nowMs: number): number {
    const idle = this.#frames === 0 && !this.blocked && !this.#drained.saturated;
    // Its limits are of no consequence now, and looking at each of many idle connections each second is.
    if (idle && this.#limits === widest) return widest.tapFrames;
    // Nothing has come since: the time after it was idle.
    if (!Number.isNaN(this.#emptiedMs)) this.#drained.emptied(this.#emptiedMs);
    const rates = [this.#drained.takeRate(nowMs), this.#congestion.look()].filter((rate) => rate !== undefined);
    const rate = rates.length === 0 ? undefined : Math.min(...rates);
    const limits = limitsFor(rate, this.#frames === 0 ? 0 : this.#bytes / this.#frames);
    this.#frames = 0;
    this.#bytes = 0;
    if (limits.socketBytes !== this.#limits.socketBytes) {
      this.#boundSocket(limits.socketBytes);
    }
    this.#limits = limits;
    return limits.tapFrames;
  }

  /** A shorter queue is a help; a socket that knows no such bound carries the frames all the same. */
  #boundSocket(bytes: number): void {
    try {
      setTcpOption(this.#fd, "notSentLowWaterBytes", bytes);
    } catch (error) {
      const isUnknown = error instanceof SystemCallError && unknownOption.has(error.errno);
      if (!isUnknown) throw error;
    }
  }

  /** Sends what is gathered. False when the socket does not take it all now. @throws {SystemCallError} */
  flush(): boolean {
    for (;;) {
      if (this.#end === this.#start) {
        if (this.#plainEnd === 0) {
          if (this.#drained.saturated && Number.isNaN(this.#emptiedMs)) this.#emptiedMs = performance.now();
          return true;
        }
        this.#emptiedMs = Number.NaN;
        this.#toWire();
      }
      const sent = send(
        this.#fd,
        this.#wire.address + this.#start,
        this.#end - this.#start,
        MSG_DONTWAIT | MSG_NOSIGNAL,
      );
      if (sent < 0) {
        const code = lastErrno();
        if (code === errno.EAGAIN) {
          if (!this.#drained.saturated) this.#drained.refused(performance.now());
          return false;
        }
        if (code !== errno.EINTR) throw new SystemCallError("send", code);
      } else {
        this.#start += sent;
        this.#drained.took(sent);
        if (this.#start === this.#end) this.#wireEmptied();
      }
    }
  }

  free(): void {
    this.#sealer?.free();
  }

  get #wire(): NativeMemory {
    return this.#sealed ?? this.#plain;
  }

  /** Makes the gathered plaintext the next bytes for the socket. */
  #toWire(): void {
    this.#start = 0;
    if (this.#sealer === undefined || this.#sealed === undefined) {
      this.#end = this.#plainEnd;
      return;
    }
    this.#end = this.#sealer.seal(this.#plain, 0, this.#plainEnd, this.#sealed);
    this.#plainEnd = 0;
  }

  /** Without encryption control frames may have been added behind what was being sent. */
  #wireEmptied(): void {
    if (this.#sealed === undefined && this.#plainEnd > this.#end) {
      this.#start = this.#end;
      this.#end = this.#plainEnd;
      return;
    }
    if (this.#sealed === undefined) this.#plainEnd = 0;
    this.#start = 0;
    this.#end = 0;
  }

  /** Reads one batch from the tap. True when there is no more. */
  #gather(): boolean {
    const { buffer, address } = this.#plain;
    const { batchBytes } = this.#limits;
    let tapEmpty = false;
    let frames = 0;
    let bytes = 0;
    let at = this.#plainEnd;
    while (at < batchBytes && frames < batchFrames) {
      const body = at + headerBytes;
      let length = read(this.#tapFd, address + body, dataBytes.max);
      if (length <= 0) {
        tapEmpty = true;
        break;
      }
      if (!this.#vnet) {
        buffer.copyWithin(body, body + vnetHeaderBytes, body + length);
        length -= vnetHeaderBytes;
      }
      writeHeader(buffer, at, frameType.data, length);
      at = body + length;
      frames += 1;
      bytes += this.#vnet ? length - vnetHeaderBytes : length;
    }
    this.#plainEnd = at;
    this.#count(frames, bytes);
    return tapEmpty;
  }

  #count(frames: number, bytes: number): void {
    this.#frames += frames;
    this.#bytes += bytes;
    this.#stats[stat.txFrames] = (this.#stats[stat.txFrames] ?? 0) + frames;
    this.#stats[stat.txBytes] = (this.#stats[stat.txBytes] ?? 0) + bytes;
  }
}
