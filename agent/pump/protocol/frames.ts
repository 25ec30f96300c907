import type { Piece } from "./history.js";

/** What both sides speak; a pump that speaks another one ends, and a new one is started. */
export const pumpProtocol = 1;
/** The pump's socket, in its directory. */
export const pumpSocket = "pump.sock";
/** Longest first line of a connection. */
export const maxOpenBytes: number = 64 * 1024;

/** The first line of each connection to the pump, as JSON. After it everything is input for the port, as it is. */
export interface PortOpen {
  readonly protocol: number;
  /** Directory of the socket of the port, which belongs to whoever listens there. */
  readonly directory: string;
  /** Name of the socket in it. */
  readonly socket: string;
  /** File that keeps the history of the port. */
  readonly file: string;
  /** A new run: what the last one said is forgotten. */
  readonly isNew: boolean;
  /** It is only asked whether it answers: it says "closed". */
  readonly isProbe?: boolean;
}

/** What the pump answers: the log first, then its output as it is kept and comes. */
export type FromPump =
  | { readonly type: "opened"; readonly log: string; readonly at: number }
  | ({ readonly type: "piece" } & Piece)
  /** The port cannot be reached, or not any more. */
  | { readonly type: "closed"; readonly reason: string };

/** Kind (1 byte), position (8), time (8), length (4). */
const headBytes = 21;
const [opened, piece, closed] = [1, 2, 3];
const maxFrameBytes = 64 * 1024;

/** A frame in bytes. */
export function toFrame(message: FromPump): Buffer {
  switch (message.type) {
    case "opened":
      return frame(opened, { at: message.at, timeMs: 0, data: Buffer.from(message.log) });
    case "piece":
      return frame(piece, message);
    case "closed":
      return frame(closed, { at: 0, timeMs: 0, data: Buffer.from(message.reason.slice(0, 1024)) });
  }
}

/** A piece in frames of bounded length. */
export function* toFrames({ at, timeMs, data }: Piece): Generator<Buffer> {
  for (let begin = 0; begin < data.length; begin += maxFrameBytes) {
    const part = data.subarray(begin, begin + maxFrameBytes);
    yield toFrame({ type: "piece", at: at + begin, timeMs, data: part });
  }
}

function frame(kind: number, { at, timeMs, data }: Piece): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(kind, 0);
  head.writeBigUInt64LE(BigInt(at), 1);
  head.writeDoubleLE(timeMs, 9);
  head.writeUInt32LE(data.length, 17);
  return Buffer.concat([head, data]);
}

/** Puts frames together from a byte stream. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** @throws {Error} for what no pump says. */
  push(chunk: Buffer): FromPump[] {
    let data = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const found: FromPump[] = [];
    while (data.length >= headBytes) {
      const length = data.readUInt32LE(17);
      if (length > maxFrameBytes) throw new Error(`a frame of ${length} bytes is too long`);
      if (data.length < headBytes + length) break;
      found.push(toMessage(data, data.subarray(headBytes, headBytes + length)));
      data = data.subarray(headBytes + length);
    }
    this.#pending = Buffer.from(data);
    return found;
  }
}

function toMessage(head: Buffer, data: Buffer): FromPump {
  const at = Number(head.readBigUInt64LE(1));
  switch (head.readUInt8(0)) {
    case opened:
      return { type: "opened", log: data.toString("latin1"), at };
    case piece:
      return { type: "piece", at, timeMs: head.readDoubleLE(9), data };
    case closed:
      return { type: "closed", reason: data.toString() };
    default:
      throw new Error("a frame of a kind that is not known");
  }
}
