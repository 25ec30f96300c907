/** Output that came at about the same time. */
export interface Piece {
  /** Bytes of output before it. */
  readonly at: number;
  /** When its first byte came, milliseconds since 1970. */
  readonly timeMs: number;
  readonly data: Buffer;
}

/** Output that came together may be one piece, within these bounds: a serial line delivers a few bytes at a time. */
const [sameMs, sameBytes] = [100, 4096];
/** With more pieces than this the oldest are made fewer, and the time of each becomes less exact. */
const maxPieces = 2048;

/** How much is kept. */
export interface HistoryBounds {
  /** Bytes that are kept whoever reads. */
  readonly keptBytes: number;
  /** Bytes that are kept at most for a reader that is behind; default: none are. */
  readonly maxBytes?: number;
}

/** The most recent output of a port, with when it came. Bounded. */
export class History {
  readonly #bounds: HistoryBounds;
  #log: string;
  #pieces: Piece[] = [];
  #end = 0;

  constructor(log: string, bounds: HistoryBounds) {
    this.#log = log;
    this.#bounds = bounds;
  }

  get log(): string {
    return this.#log;
  }

  /** Where the output ends. */
  get end(): number {
    return this.#end;
  }

  /** Where what is kept begins. */
  get begin(): number {
    return this.#pieces[0]?.at ?? this.#end;
  }

  /** Forgets everything: other output begins. */
  restart(log: string, at: number): void {
    this.#log = log;
    this.#pieces = [];
    this.#end = at;
  }

  /**
   * Adds output. @param readFrom where the slowest reader is: what it has yet to read is kept as long as that is possible.
   */
  append(data: Buffer, timeMs: number, readFrom: number = this.#end + data.length): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && this.#isOneWith(last, data, timeMs)) {
      this.#pieces[this.#pieces.length - 1] = { ...last, data: Buffer.concat([last.data, data]) };
    } else {
      // A copy: a short piece must not keep all of what was read with it in memory.
      this.#pieces.push({ at: this.#end, timeMs, data: Buffer.from(data) });
    }
    this.#end += data.length;
    this.#trim(readFrom);
  }

  /** Adds what is new of a piece of output; it may begin after a gap. Returns that. */
  take({ at, timeMs, data }: Piece): Buffer {
    const isNew = data.subarray(Math.max(0, this.#end - at));
    if (isNew.length === 0) return isNew;
    this.#end = Math.max(this.#end, at);
    this.append(isNew, timeMs);
    return isNew;
  }

  /** Something may be missing from here on, and nobody knows how much: no position of before holds any more. */
  rename(log: string): void {
    this.#log = log;
  }

  /** Output from a position on, or from where what is kept begins. */
  from(at: number): Piece[] {
    const found: Piece[] = [];
    for (let index = this.#pieces.length - 1; index >= 0; index -= 1) {
      const piece = this.#pieces[index];
      if (piece === undefined || piece.at + piece.data.length <= at) break;
      const skip = Math.max(0, at - piece.at);
      found.push(skip === 0 ? piece : { ...piece, at: piece.at + skip, data: piece.data.subarray(skip) });
    }
    return found.reverse();
  }

  /** A copy of the last bytes of output, at most so many. */
  recent(bytes: number): Buffer {
    return Buffer.concat(this.from(this.#end - Math.max(0, bytes)).map(({ data }) => data));
  }

  #isOneWith(last: Piece, data: Buffer, timeMs: number): boolean {
    const isNext = last.at + last.data.length === this.#end;
    return isNext && timeMs - last.timeMs <= sameMs && last.data.length + data.length <= sameBytes;
  }

  #trim(readFrom: number): void {
    const { keptBytes, maxBytes = keptBytes } = this.#bounds;
    const keepFrom = Math.max(Math.min(readFrom, this.#end - keptBytes), this.#end - maxBytes);
    let gone = 0;
    for (const { at, data } of this.#pieces) {
      if (at + data.length > keepFrom) break;
      gone += 1;
    }
    if (gone > 0) this.#pieces.splice(0, gone);
    const [first] = this.#pieces;
    // Cut only when it pays: each cut copies.
    if (first !== undefined && keepFrom - first.at > keptBytes) {
      const data = Buffer.from(first.data.subarray(keepFrom - first.at));
      this.#pieces[0] = { at: keepFrom, timeMs: first.timeMs, data };
    }
    if (this.#pieces.length > maxPieces) this.#merge();
  }

  #merge(): void {
    const oldest = this.#pieces.splice(0, maxPieces / 2);
    const merged: Piece[] = [];
    for (let index = 0; index < oldest.length; index += 2) {
      const [first, second] = [oldest[index], oldest[index + 1]];
      if (first === undefined) break;
      const isNext = second !== undefined && second.at === first.at + first.data.length;
      if (isNext) merged.push({ ...first, data: Buffer.concat([first.data, second.data]) });
      else merged.push(first, ...(second === undefined ? [] : [second]));
    }
    this.#pieces.unshift(...merged);
  }
}
