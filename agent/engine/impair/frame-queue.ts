import { NativeMemory } from "../../../lib/libc.js";
import { vnetHeaderBytes } from "../frames/frame.js";

/** Bytes of a tap's largest frame with its virtio-net header. */
export const maxFrameBytes: number = vnetHeaderBytes + 65_536 + 64;
const chunkBytes = 1024 * 1024;
/** In front of each frame: two 64-bit times, then length, bytes and frames on the wire as 32-bit numbers, then nothing. */
const recordBytes = 32;
/** Empty chunks kept for whoever needs one next. */
const maxSpareChunks = 16;

class Chunk {
  readonly memory = new NativeMemory(chunkBytes);
  readonly numbers: Float64Array;
  readonly words: Uint32Array;
  /** Where the next frame goes, or, once there is a next chunk, where the last one ended. */
  end = 0;
  next: Chunk | undefined;

  constructor() {
    const { buffer, byteOffset } = this.memory.buffer;
    this.numbers = new Float64Array(buffer, byteOffset, chunkBytes / 8);
    this.words = new Uint32Array(buffer, byteOffset, chunkBytes / 4);
  }
}

/** Memory that the queues of one thread share. */
export class ChunkPool {
  readonly #spare: Chunk[] = [];

  take(): Chunk {
    return this.#spare.pop() ?? new Chunk();
  }

  give(chunk: Chunk): void {
    if (this.#spare.length >= maxSpareChunks) return;
    chunk.end = 0;
    chunk.next = undefined;
    this.#spare.push(chunk);
  }
}

/** A place in a queue, and the frame there. It is the queue's own and moves with it. */
export class Cursor {
  chunk: Chunk;
  at = 0;

  constructor(chunk: Chunk) {
    this.chunk = chunk;
  }

  /** When the frame came, and, once it has passed the rate limit, when that was. */
  get timeMs(): number {
    return this.chunk.numbers[this.at >> 3] ?? 0;
  }

  set timeMs(value: number) {
    this.chunk.numbers[this.at >> 3] = value;
  }

  /** In units of the jitter, see jitter.ts. */
  get spread(): number {
    return this.chunk.numbers[(this.at >> 3) + 1] ?? 0;
  }

  set spread(value: number) {
    this.chunk.numbers[(this.at >> 3) + 1] = value;
  }

  /** Bytes in memory, with virtio-net header. */
  get length(): number {
    return this.chunk.words[(this.at >> 2) + 4] ?? 0;
  }

  set length(value: number) {
    this.chunk.words[(this.at >> 2) + 4] = value;
  }

  get wireBytes(): number {
    return this.chunk.words[(this.at >> 2) + 5] ?? 0;
  }

  set wireBytes(value: number) {
    this.chunk.words[(this.at >> 2) + 5] = value;
  }

  get wireFrames(): number {
    return this.chunk.words[(this.at >> 2) + 6] ?? 0;
  }

  set wireFrames(value: number) {
    this.chunk.words[(this.at >> 2) + 6] = value;
  }

  get memory(): NativeMemory {
    return this.chunk.memory;
  }

  /** Where in {@link memory} the frame begins. */
  get offset(): number {
    return this.at + recordBytes;
  }
}

/**
 * A queue of frames in native memory, in two parts: frames that wait for the rate limit, behind frames that have passed it. Frames
 * are read from a tap into the place they stay in until they are written to another. Allocates memory by the megabyte, never for a frame.
 */
export class FrameQueue {
  readonly #pool: ChunkPool;
  readonly #first: Cursor;
  readonly #waiting: Cursor;
  readonly #room: Cursor;
  #count = 0;
  #waitingCount = 0;

  constructor(pool: ChunkPool) {
    this.#pool = pool;
    const chunk = pool.take();
    this.#first = new Cursor(chunk);
    this.#waiting = new Cursor(chunk);
    this.#room = new Cursor(chunk);
  }

  /** Frames in both parts. */
  get count(): number {
    return this.#count;
  }

  /** Frames that wait for the rate limit. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  /** Place for one more frame of any size; its bytes may be written before {@link append}. */
  get room(): Cursor {
    const room = this.#room;
    if (room.at + recordBytes + maxFrameBytes > chunkBytes) {
      room.chunk.end = room.at;
      room.chunk.next = this.#pool.take();
      room.chunk = room.chunk.next;
      room.at = 0;
    }
    return room;
  }

  /** The oldest frame. Only when {@link count} is not 0. */
  get first(): Cursor {
    return this.#settle(this.#first);
  }

  /** The oldest frame that waits for the rate limit. Only when {@link waitingCount} is not 0. */
  get waiting(): Cursor {
    return this.#settle(this.#waiting);
  }

  /** The frame in {@link room}, all of whose numbers are set, is now the last that waits for the rate limit. */
  append(): void {
    this.#room.at = next(this.#room.at, this.#room.length);
    this.#count += 1;
    this.#waitingCount += 1;
  }

  /** The oldest frame that waits for the rate limit has passed it. */
  pass(): void {
    const waiting = this.waiting;
    waiting.at = next(waiting.at, waiting.length);
    this.#waitingCount -= 1;
  }

  /** Removes the oldest frame, which has passed the rate limit. */
  remove(): void {
    const first = this.first;
    first.at = next(first.at, first.length);
    this.#count -= 1;
    if (this.#count === 0) this.#rewind();
  }

  /** Gives the memory back; the queue is of no use any more. */
  free(): void {
    let chunk: Chunk | undefined = this.#first.chunk;
    while (chunk !== undefined) {
      const following: Chunk | undefined = chunk.next;
      this.#pool.give(chunk);
      chunk = following;
    }
  }

  /** Moves a cursor from the end of a chunk to the begin of the next and gives back chunks that nothing points to. */
  #settle(cursor: Cursor): Cursor {
    while (cursor.chunk.next !== undefined && cursor.at === cursor.chunk.end) {
      const left = cursor.chunk;
      if (cursor === this.#first && this.#waiting.chunk === left) this.#settle(this.#waiting);
      cursor.chunk = cursor.chunk.next;
      cursor.at = 0;
      if (cursor === this.#first) this.#pool.give(left);
    }
    return cursor;
  }

  /** An empty queue uses the same memory again, which is likely to be in the processor's cache. */
  #rewind(): void {
    this.#settle(this.#first);
    this.#settle(this.#waiting);
    for (const cursor of [this.#first, this.#waiting, this.#room]) cursor.at = 0;
  }
}

function next(at: number, length: number): number {
  return at + recordBytes + ((length + 7) & ~7);
}
