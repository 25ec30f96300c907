/** Thrown when a peer sends something that cannot be a JSON-RPC message. */
class JsonStreamError extends Error {
  override readonly name = "JsonStreamError";
}

const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d];

/**
 * Cuts a byte stream into the JSON values it is a concatenation of (RFC 7047 puts nothing between messages).
 * Each byte is looked at once. Values larger than the limit are an error: a peer cannot make us buffer without bound.
 */
export class JsonSplitter {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(private readonly maxValueBytes: number = 16 * 1024 * 1024) {}

  /** Takes the next chunk and returns the values completed by it. @throws {JsonStreamError} */
  push(chunk: Buffer): unknown[] {
    const values: unknown[] = [];
    let begin = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      if (this.#closesValue(chunk[index] ?? 0)) {
        values.push(this.#take(chunk.subarray(begin, index + 1)));
        begin = index + 1;
      }
    }
    const rest = chunk.subarray(begin);
    this.#pendingBytes += rest.length;
    if (this.#pendingBytes > this.maxValueBytes) throw new JsonStreamError("a JSON value is too large");
    if (rest.length > 0) this.#pending.push(Buffer.from(rest));
    return values;
  }

  #closesValue(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) this.#inString = false;
      return false;
    }
    if (byte === quote) this.#inString = true;
    else if (byte === openBrace || byte === openBracket) this.#depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      this.#depth -= 1;
      if (this.#depth < 0) throw new JsonStreamError("a JSON value ends that never began");
      return this.#depth === 0;
    }
    return false;
  }

  #take(last: Buffer): unknown {
    const text = Buffer.concat([...this.#pending, last]).toString("utf8");
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new JsonStreamError("malformed JSON", { cause });
    }
  }
}
