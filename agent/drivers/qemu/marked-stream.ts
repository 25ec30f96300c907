/** What a piece of a stream gave. */
export interface MarkedPiece {
  /** What certainly comes before the mark. */
  readonly data: Buffer;
  /** What has come behind the mark so far; undefined before it. */
  readonly rest: Buffer | undefined;
}

/** Finds the mark that ends a stream, wherever the stream is cut into pieces. */
export class MarkedStream {
  readonly #mark: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #rest: Buffer | undefined;

  constructor(mark: string) {
    this.#mark = Buffer.from(mark, "latin1");
  }

  push(piece: Buffer): MarkedPiece {
    if (this.#rest !== undefined) {
      this.#rest = Buffer.concat([this.#rest, piece]);
      return { data: Buffer.alloc(0), rest: this.#rest };
    }
    const all = Buffer.concat([this.#held, piece]);
    const position = all.indexOf(this.#mark);
    if (position !== -1) {
      this.#held = Buffer.alloc(0);
      this.#rest = Buffer.from(all.subarray(position + this.#mark.length));
      return { data: all.subarray(0, position), rest: this.#rest };
    }
    const sure = all.length - this.#startOfMark(all);
    this.#held = Buffer.from(all.subarray(sure));
    return { data: all.subarray(0, sure), rest: undefined };
  }

  /** What was held back because it might have begun the mark: the stream has ended without one. */
  flush(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  /** Length of the longest end of the data with which the mark begins. */
  #startOfMark(data: Buffer): number {
    for (let length = Math.min(this.#mark.length - 1, data.length); length > 0; length -= 1) {
      if (data.subarray(data.length - length).equals(this.#mark.subarray(0, length))) return length;
    }
    return 0;
  }
}
