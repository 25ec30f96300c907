/** Bytes before each message: a flag and the length as a 32-bit number (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const headerBytes = 5;

/** Why bytes are no messages that can be read. */
export class BadFraming extends Error {
  override readonly name = "BadFraming";
}

/** Cuts the bytes of a call into its messages. It holds at most one that is not complete. */
export class MessageSplitter {
  readonly #limit: number;
  /** What has come of the next message, its header included. */
  #parts: Buffer[] = [];
  #held = 0;

  /** @param limit most bytes of a message. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes bytes; gives each message that is complete with them to `take`, as a part of the bytes: whoever keeps it copies it.
   * @throws {BadFraming} for a message that is too large, or compressed, which was not offered.
   */
  push(chunk: Buffer, take: (message: Buffer) => void): void {
    let rest = chunk;
    if (this.#held > 0) {
      this.#parts.push(chunk);
      this.#held += chunk.length;
      if (this.#held < headerBytes || this.#held < this.#needed()) return;
      rest = Buffer.concat(this.#parts, this.#held);
      this.#parts = [];
      this.#held = 0;
    }
    let at = 0;
    while (rest.length - at >= headerBytes) {
      const end = at + headerBytes + this.#lengthAt(rest, at);
      if (end > rest.length) break;
      take(rest.subarray(at + headerBytes, end));
      at = end;
    }
    if (at === rest.length) return;
    // A copy, so that a few bytes do not keep all those alive with which they came.
    this.#parts = [Buffer.from(rest.subarray(at))];
    this.#held = rest.length - at;
  }

  /** Whether a message has begun and is not complete. */
  get isPartial(): boolean {
    return this.#held > 0;
  }

  /** Bytes of the message under way, header included. */
  #needed(): number {
    const [first] = this.#parts;
    if (first === undefined) return headerBytes;
    // Joined only while the header itself comes in pieces.
    if (first.length < headerBytes) this.#parts = [Buffer.concat(this.#parts, this.#held)];
    const [header] = this.#parts;
    return header === undefined ? headerBytes : headerBytes + this.#lengthAt(header, 0);
  }

  #lengthAt(bytes: Buffer, at: number): number {
    if (bytes.readUInt8(at) !== 0) throw new BadFraming("a message is compressed, which was not offered");
    const length = bytes.readUInt32BE(at + 1);
    if (length > this.#limit) {
      throw new BadFraming(`a message of ${length} bytes came; the most that is taken is ${this.#limit}`);
    }
    return length;
  }
}

/** A message with the bytes that go before it. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, headerBytes);
  return frame;
}
