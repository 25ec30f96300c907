import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import type { Chunk, ChunkRange } from "../../proto/gen/zor/agent/v1/image_transfer_service.js";

/** Agents take no more; of the least length they are a tebibyte. */
const maxChunks = 2 ** 22;
const maxChunkBytes = 4 * 1024 * 1024;
const [digestBytes, entryBytes] = [32, 36];

/** The chunks of an image as a host tells them, in little memory. What it tells is not believed: it may tell for ever. */
export class ChunkList {
  #entries = Buffer.alloc(1024 * entryBytes);
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws {ZorError} DATA_LOSS for what is no chunk, or too many. */
  push(chunks: readonly Chunk[]): void {
    for (const { sha256, length } of chunks) {
      if (this.#count >= maxChunks) throw notBelieved(`the image has more than ${maxChunks} chunks`);
      const isGood = sha256.length === digestBytes && length > 0 && length <= maxChunkBytes;
      if (!isGood) throw notBelieved("the image has a chunk that is none");
      const at = this.#count * entryBytes;
      if (at === this.#entries.length) this.#entries = Buffer.concat([this.#entries, Buffer.alloc(at)]);
      this.#entries.set(sha256, at);
      this.#entries.writeUInt32LE(length, at + digestBytes);
      this.#count += 1;
      this.#bytes += length;
    }
  }

  slice(from: number, to: number): Chunk[] {
    const chunks: Chunk[] = [];
    for (let index = from; index < Math.min(to, this.#count); index += 1) {
      const at = index * entryBytes;
      chunks.push({ sha256: this.#entries.subarray(at, at + digestBytes), length: this.#lengthAt(index) });
    }
    return chunks;
  }

  /** Bytes of the chunks that a host lacks. @throws {ZorError} DATA_LOSS unless it names each at most once, in their order. */
  bytesOf(ranges: readonly ChunkRange[]): number {
    let [next, bytes] = [0, 0];
    for (const { first, count } of ranges) {
      if (first < next || count < 1 || first + count > this.#count)
        throw notBelieved("it asks for chunks that are none");
      next = first + count;
      for (let index = first; index < next; index += 1) bytes += this.#lengthAt(index);
    }
    return bytes;
  }

  #lengthAt(index: number): number {
    return this.#entries.readUInt32LE(index * entryBytes + digestBytes);
  }
}

function notBelieved(why: string): ZorError {
  return new ZorError({
    reason: "HOST_NOT_BELIEVED",
    code: status.DATA_LOSS,
    message: `what the agent told of an image was refused (${why})`,
  });
}
