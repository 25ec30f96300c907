/** A frame that ends before what is read of it. */
export class FrameCut extends Error {}

/** Reads a frame from its beginning on; never beyond its end. */
export class FrameReader {
  readonly #data: Buffer;
  /** Where the next byte is read. */
  at: number;
  /** Bytes from here on are not what is read: padding, or another layer's. */
  #end: number;

  constructor(data: Buffer, at = 0, end = data.length) {
    this.#data = data;
    this.at = at;
    this.#end = Math.min(end, data.length);
  }

  get left(): number {
    return Math.max(0, this.#end - this.at);
  }

  get end(): number {
    return this.#end;
  }

  /** Reads no further than so many bytes from here. */
  limit(bytes: number): void {
    this.#end = Math.min(this.#end, this.at + Math.max(0, bytes));
  }

  /** Another reader, of the next bytes; this one goes on behind them. @throws {FrameCut} */
  part(bytes: number): FrameReader {
    const from = this.#take(bytes);
    return new FrameReader(this.#data, from, from + bytes);
  }

  /** @throws {FrameCut} */
  u8(): number {
    return this.#data.readUInt8(this.#take(1));
  }

  /** @throws {FrameCut} */
  u16(): number {
    return this.#data.readUInt16BE(this.#take(2));
  }

  /** @throws {FrameCut} */
  u32(): number {
    return this.#data.readUInt32BE(this.#take(4));
  }

  /** @throws {FrameCut} */
  bytes(count: number): Buffer {
    const from = this.#take(count);
    return this.#data.subarray(from, from + count);
  }

  /** @throws {FrameCut} */
  skip(count: number): void {
    this.#take(count);
  }

  /** The byte there, of the whole frame; undefined: there is none. */
  peek(at: number): number | undefined {
    return at >= 0 && at < this.#end ? this.#data[at] : undefined;
  }

  #take(count: number): number {
    if (count < 0 || count > this.left) throw new FrameCut("the frame ends before");
    const from = this.at;
    this.at += count;
    return from;
  }
}
