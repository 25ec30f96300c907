const newline = 0x0a;

/** Cuts a byte stream into lines of bounded length. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Adds received bytes and returns the lines they complete, without line ends. @throws {Error} when a line is too long. */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let rest = chunk;
    for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
      this.#add(rest.subarray(0, end));
      lines.push(Buffer.concat(this.#parts));
      this.clear();
      rest = rest.subarray(end + 1);
    }
    this.#add(rest);
    return lines;
  }

  /** Forgets an incomplete line. */
  clear(): void {
    this.#parts = [];
    this.#length = 0;
  }

  #add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) throw new Error(`a line is longer than ${this.#maxBytes} bytes`);
    if (part.length > 0) this.#parts.push(part);
  }
}

/**
 * Has text lines of a byte stream told. The returned function takes chunks; it returns false when a line is longer than `maxBytes`,
 * after which nothing more must be given to it.
 */
export function splitLines(maxBytes: number, onLine: (line: string) => void): (chunk: Uint8Array) => boolean {
  const splitter = new LineSplitter(maxBytes);
  return (chunk) => {
    let lines: readonly Buffer[];
    try {
      lines = splitter.push(Buffer.from(chunk));
    } catch {
      return false;
    }
    for (const line of lines) onLine(line.toString("utf8"));
    return true;
  };
}
