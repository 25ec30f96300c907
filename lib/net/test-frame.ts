import { randomBytes } from "node:crypto";

/** Ethertype of test frames and probes: IEEE 802's first local experimental one. */
export const testEthertype = 0x88b5;

const magic = Buffer.from("ZORL\x01", "latin1");
/** Length of the token of a test. */
export const tokenBytes = 16;
const headerBytes = 14;
const tokenAt = headerBytes + magic.length;
const sequenceAt = tokenAt + tokenBytes;
/** Shortest frame of Ethernet, without its check sum. */
const frameBytes = 60;

/**
 * A frame that a switch learns an address from and forwards to nobody: it is for the port it came from. No switch lets such a frame
 * through, whoever sends it.
 */
export function toLearnFrame(mac: Buffer): Buffer {
  const frame = Buffer.alloc(frameBytes);
  mac.copy(frame, 0);
  mac.copy(frame, mac.length);
  frame.writeUInt16BE(testEthertype, headerBytes - 2);
  return frame;
}

/** The frames of a test: Ethernet header, "ZORL", version 1, a token (16 bytes) that guests do not know, and a number (4). */
export class TestFrames {
  readonly source: Buffer;
  readonly sink: Buffer;
  readonly #token: Buffer;
  #sent = 0;

  /** @param token of this test only; default: a random one. */
  constructor(source: Buffer, sink: Buffer, token: Buffer = randomBytes(tokenBytes)) {
    this.source = source;
    this.sink = sink;
    this.#token = token;
  }

  learn(): Buffer {
    return toLearnFrame(this.sink);
  }

  /** The next frame to send. */
  next(): Buffer {
    this.#sent += 1;
    const frame = Buffer.alloc(frameBytes);
    this.sink.copy(frame, 0);
    this.source.copy(frame, this.sink.length);
    frame.writeUInt16BE(testEthertype, headerBytes - 2);
    magic.copy(frame, headerBytes);
    this.#token.copy(frame, tokenAt);
    frame.writeUInt32BE(this.#sent, sequenceAt);
    return frame;
  }

  /** Whether a frame that came is one of this test. */
  take(frame: Buffer): boolean {
    return (
      frame.length >= frameBytes &&
      frame.readUInt16BE(headerBytes - 2) === testEthertype &&
      frame.subarray(0, this.sink.length).equals(this.sink) &&
      frame.subarray(headerBytes, tokenAt).equals(magic) &&
      frame.subarray(tokenAt, sequenceAt).equals(this.#token)
    );
  }
}
