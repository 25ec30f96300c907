/** Cells are so many bytes, or a multiple of it. */
const unitBytes = 16;
const unitBits = 4;
/** Units of a chunk: their numbers have so many bits of an address. */
const chunkUnitBits = 16;
const chunkBytes = unitBytes << chunkUnitBits;
const smallestChunkBytes = 4096;
/** What is larger has a chunk of its own. */
const largestCellBytes = chunkBytes / 4;
/** Less waste than this is not worth a move. */
const leastWasteBytes = 2 * 1024 * 1024;

/** Where some bytes are in a {@link Slab}. */
export type Address = number;

/**
 * Many small pieces of bytes in few large buffers: a piece costs its own bytes, rounded up to sixteen, and nothing that the garbage
 * collector has to look at. Cells that are given back are used again for pieces of the same size.
 */
export class Slab {
  #chunks: (Buffer | undefined)[] = [];
  /** Places of chunks that are gone. */
  #gone: number[] = [];
  /** By units: addresses of cells that were given back. */
  #free: (Address[] | undefined)[] = [];
  #filling = -1;
  #filledBytes = 0;
  #freeBytes = 0;
  #cellBytes = 0;

  /** Bytes of all cells, those given back included. */
  get cellBytes(): number {
    return this.#cellBytes;
  }

  /** So much has been given back, and is of no use for what is kept now, that everything should move into a new one. */
  get isWasteful(): boolean {
    return this.#freeBytes > leastWasteBytes && this.#freeBytes * 2 > this.#cellBytes;
  }

  /** Keeps a copy of a part of some bytes. */
  put(bytes: Uint8Array, from: number, to: number): Address {
    const address = this.#take(to - from);
    this.#write(address, bytes, from, to);
    return address;
  }

  /** Keeps other bytes instead of those that are kept there now, `length` of them. @returns where. */
  replace(address: Address, length: number, bytes: Uint8Array): Address {
    const isAlike = unitsOf(length) === unitsOf(bytes.length) && bytes.length <= largestCellBytes;
    if (!isAlike) {
      this.free(address, length);
      return this.put(bytes, 0, bytes.length);
    }
    this.#write(address, bytes, 0, bytes.length);
    return address;
  }

  /** Gives back the cell of `length` bytes. */
  free(address: Address, length: number): void {
    if (length > largestCellBytes) {
      const chunk = address >>> chunkUnitBits;
      this.#cellBytes -= this.#chunks[chunk]?.length ?? 0;
      this.#chunks[chunk] = undefined;
      this.#gone.push(chunk);
      return;
    }
    const units = unitsOf(length);
    this.#freeBytes += units * unitBytes;
    this.#free[units] ??= [];
    this.#free[units].push(address);
  }

  /** The buffer in which some bytes are. */
  chunkOf(address: Address): Buffer {
    const chunk = this.#chunks[address >>> chunkUnitBits];
    if (chunk === undefined) throw new Error("there is nothing at that address");
    return chunk;
  }

  /** Where in its buffer the bytes of an address begin. */
  offsetOf(address: Address): number {
    return (address & ((1 << chunkUnitBits) - 1)) << unitBits;
  }

  #write(address: Address, bytes: Uint8Array, from: number, to: number): void {
    const chunk = this.chunkOf(address);
    const offset = this.offsetOf(address);
    // For so few bytes a loop is faster than a call into the runtime, which needs an object for the part.
    if (to - from <= 512) for (let at = from; at < to; at += 1) chunk[offset + at - from] = bytes[at] ?? 0;
    else chunk.set(bytes.subarray(from, to), offset);
  }

  #take(length: number): Address {
    if (length > largestCellBytes) {
      const place = this.#gone.pop() ?? this.#chunks.length;
      this.#chunks[place] = Buffer.allocUnsafeSlow(length);
      this.#cellBytes += length;
      return place << chunkUnitBits;
    }
    const units = unitsOf(length);
    const known = this.#free[units]?.pop();
    if (known !== undefined) {
      this.#freeBytes -= units * unitBytes;
      return known;
    }
    const bytes = units * unitBytes;
    const filling = this.#chunks[this.#filling];
    if (filling === undefined || this.#filledBytes + bytes > filling.length) this.#begin(bytes);
    const address = (this.#filling << chunkUnitBits) | (this.#filledBytes >>> unitBits);
    this.#filledBytes += bytes;
    this.#cellBytes += bytes;
    return address;
  }

  /** Begins a chunk: small ones first, for kinds of which there are few. */
  #begin(bytes: number): void {
    this.#filling = this.#gone.pop() ?? this.#chunks.length;
    this.#filledBytes = 0;
    const wanted = Math.max(smallestChunkBytes, this.#cellBytes, bytes);
    this.#chunks[this.#filling] = Buffer.allocUnsafeSlow(Math.min(chunkBytes, wanted));
  }
}

function unitsOf(length: number): number {
  return (length + unitBytes - 1) >>> unitBits;
}
