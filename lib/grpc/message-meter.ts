/** Bytes before each message: a flag and the length as a 32-bit number (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const headerBytes = 5;

/** Follows the messages in the bytes of a request, without holding any of them. */
export class MessageMeter {
  #bytes = 0;
  #header = 0;
  #length = 0;
  #left = 0;
  #lastBytes = 0;
  #completed = false;

  /** All bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A message has begun and is not complete. */
  get isPartial(): boolean {
    return this.#header > 0;
  }

  /** Length that the message under way says it has, at most 8 MiB; 0 without one. */
  get announced(): number {
    return this.#header === headerBytes ? Math.min(this.#length, 8 * 1024 * 1024) : 0;
  }

  /** Length of the last complete message. */
  get lastBytes(): number {
    return this.#lastBytes;
  }

  /** Whether a message was completed since the last call. */
  takeCompleted(): boolean {
    const completed = this.#completed;
    this.#completed = false;
    return completed;
  }

  /** Takes what has come. */
  received(chunk: Buffer): void {
    this.#bytes += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      if (this.#header < headerBytes) {
        if (this.#header > 0) this.#length = this.#length * 256 + (chunk[at] ?? 0);
        this.#header += 1;
        at += 1;
        if (this.#header < headerBytes) continue;
        this.#left = this.#length;
      }
      const taken = Math.min(this.#left, chunk.length - at);
      this.#left -= taken;
      at += taken;
      if (this.#left === 0) this.#complete();
    }
  }

  #complete(): void {
    this.#lastBytes = this.#length;
    this.#completed = true;
    this.#header = 0;
    this.#length = 0;
  }
}
