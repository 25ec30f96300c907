import { closeSync } from "node:fs";
import koffi from "koffi";
import { dataBytes, headerBytes, writeHeader } from "../../../../../agent/engine/frames/frame.js";
import { send } from "../../../../../lib/net/socket-calls.js";
import { read, write } from "../../../../../agent/engine/native.js";
import { Receiver } from "../../../../../agent/engine/frames/receiver.js";
import { Sender } from "../../../../../agent/engine/frames/sender.js";
import { createStats } from "../../../../../agent/engine/frames/stats.js";
import type { TapOffload } from "../../../../../agent/engine/frames/tap.js";
import type { EstablishedConnection } from "../../../../../agent/engine/threads/cable-orders.js";
import { NativeMemory } from "../../../../../lib/libc.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype is what makes the cast true.
const libc = koffi.load("libc.so.6");
const setsockopt = libc.func("int setsockopt(int fd, int level, int name, size_t value, uint length)") as unknown as (
  ...numbers: [number, number, number, number, number]
) => number;
const socketpair = libc.func("int socketpair(int family, int type, int protocol, size_t pair)") as unknown as (
  family: number,
  type: number,
  protocol: number,
  pair: number,
) => number;
const [AF_UNIX, SOCK_STREAM, SOCK_SEQPACKET, SOCK_NONBLOCK] = [1, 1, 5, 0o4000];

/** Both ends' secret of one direction. */
const traffic = { secret: Buffer.alloc(32, 7), sequence: 0 };

/** A sender and a receiver with a stream between them. Instead of taps they have sockets that keep the borders of frames, as taps do. */
export class FrameRig {
  /** Where a test puts the lan's frames, and where they come out. */
  readonly #lan: readonly [number, number];
  readonly #fds: readonly number[];
  readonly #memory = new NativeMemory(2 * dataBytes.max);
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly sentStats: Float64Array = createStats();
  readonly receivedStats: Float64Array = createStats();
  readonly controls: { readonly type: number; readonly payload: Buffer }[] = [];
  /** The receiver's side of the stream from outside, for bytes that no sender would send. */
  readonly #wire: number;

  constructor(options: { readonly encrypted: boolean; readonly offload?: TapOffload }) {
    const [lanA, tapA] = socketPair("frames");
    const [tapB, lanB] = socketPair("frames");
    const [wireA, wireB] = socketPair("stream");
    this.#lan = [lanA, lanB];
    growSendBuffer(tapB);
    this.#fds = [lanA, tapA, tapB, lanB, wireA, wireB];
    this.#wire = wireA;
    const established = (fd: number): EstablishedConnection => ({
      fd,
      leftover: new Uint8Array(0),
      tls: options.encrypted ? { send: traffic, receive: traffic } : undefined,
      offload: options.offload ?? "tso",
    });
    this.sender = new Sender({ established: established(wireA), tapFd: tapA, stats: this.sentStats });
    this.receiver = new Receiver({
      established: established(wireB),
      tapFd: tapB,
      stats: this.receivedStats,
      onControl: (type, payload) => this.controls.push({ type, payload: Buffer.from(payload) }),
    });
    this.receiver.begin();
  }

  /** Puts a frame, virtio-net header included, into the sender's lan; false when that holds no more. */
  put(frame: Uint8Array): boolean {
    this.#memory.buffer.set(frame);
    return this.putAgain(frame.length);
  }

  /** Puts the first bytes of the last frame again. */
  putAgain(length: number): boolean {
    return write(this.#lan[0], this.#memory.address, length) === length;
  }

  /** Length of the next frame that came out of the receiver's lan; undefined: none. */
  take(): number | undefined {
    const length = read(this.#lan[1], this.#memory.address + dataBytes.max, dataBytes.max);
    return length > 0 ? length : undefined;
  }

  /** All frames that came out. */
  takeAll(): Buffer[] {
    const frames: Buffer[] = [];
    for (let length = this.take(); length !== undefined; length = this.take()) {
      frames.push(Buffer.from(this.#memory.buffer.subarray(dataBytes.max, dataBytes.max + length)));
    }
    return frames;
  }

  /** Sends bytes of the test's own to the receiver. Returns how many were taken. */
  inject(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    const memory = new NativeMemory(bytes.length);
    memory.buffer.set(bytes);
    return send(this.#wire, memory.address, bytes.length, 0);
  }

  [Symbol.dispose](): void {
    this.sender.free();
    this.receiver.free();
    for (const fd of this.#fds) closeSync(fd);
  }
}

/** A frame as it is on the stream. */
export function framed(type: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(headerBytes + payload.length);
  writeHeader(bytes, 0, type, payload.length);
  bytes.set(payload, headerBytes);
  return bytes;
}

/** Two connected sockets, non-blocking; those of "frames" keep the borders of what is written to them, as taps do. */
export function socketPair(kind: "frames" | "stream"): [number, number] {
  const memory = new NativeMemory(8);
  const type = kind === "frames" ? SOCK_SEQPACKET : SOCK_STREAM;
  if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, memory.address) !== 0)
    throw new Error("no pair of sockets to be had");
  return [memory.buffer.readInt32LE(0), memory.buffer.readInt32LE(4)];
}

/** The receiver writes up to 256 KiB of frames before a test takes them. */
function growSendBuffer(fd: number): void {
  const [SOL_SOCKET, SO_SNDBUF] = [1, 7];
  const memory = new NativeMemory(4);
  memory.buffer.writeInt32LE(1024 * 1024);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, memory.address, 4) !== 0) throw new Error("no larger socket buffer");
}
