import { hash } from "node:crypto";
import { appendFile, type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoredChunk } from "../../images/content-scan.js";
import type { Arrival } from "../../images/incoming.js";
import { ArchiveError } from "../../images/import/zip.js";
import { writeSparse } from "../../images/sparse-writer.js";
import type { LocalChunks } from "./local-chunks.js";

/** Where each chunk begins. */
export function offsetsOf(chunks: readonly StoredChunk[]): readonly number[] {
  let offset = 0;
  return chunks.map(({ length }) => {
    offset += length;
    return offset - length;
  });
}

/** The chunks of an image that comes, in a file, with a list of those that are there beside it. */
export class ChunkReceiver implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #log: string;
  readonly #chunks: readonly StoredChunk[];
  readonly #offsets: readonly number[];
  readonly #sizeBytes: number;
  readonly #have: Set<number>;

  private constructor(
    file: FileHandle,
    log: string,
    have: Set<number>,
    whole: { readonly chunks: readonly StoredChunk[]; readonly sizeBytes: number },
  ) {
    this.#file = file;
    this.#log = log;
    this.#have = have;
    this.#chunks = whole.chunks;
    this.#sizeBytes = whole.sizeBytes;
    this.#offsets = offsetsOf(whole.chunks);
  }

  static async open(options: {
    readonly arrival: Arrival;
    readonly chunks: readonly StoredChunk[];
    readonly sizeBytes: number;
  }): Promise<ChunkReceiver> {
    const { arrival, chunks } = options;
    const log = join(arrival.directory, "have");
    const bytes = await readFile(log).catch(() => Buffer.alloc(0));
    const have = new Set<number>();
    for (let at = 0; at + 4 <= bytes.length; at += 4) have.add(bytes.readUInt32LE(at));
    return new ChunkReceiver(
      await open(arrival.data, "r+"),
      log,
      new Set([...have].filter((index) => index < chunks.length)),
      options,
    );
  }

  /** Takes what other images on this host have. */
  async takeLocal(local: LocalChunks, signal: AbortSignal): Promise<void> {
    await using chunks = local;
    for (const index of this.missing()) {
      signal.throwIfAborted();
      const data = await chunks.read(this.#chunks[index]);
      if (data !== undefined) await this.take(index, data);
    }
  }

  /** Bytes of chunks. */
  bytesOf(indexes: readonly number[]): number {
    return indexes.reduce((sum, index) => sum + (this.#chunks[index]?.length ?? 0), 0);
  }

  missing(): readonly number[] {
    return this.#chunks.flatMap((_, index) => (this.#have.has(index) ? [] : [index]));
  }

  /** @throws {ZorError} when it is not what it should be. */
  async take(index: number, data: Buffer): Promise<void> {
    const [chunk, offset] = [this.#chunks[index], this.#offsets[index]];
    if (chunk === undefined || offset === undefined || hash("sha256", data, "hex") !== chunk.sha256) {
      throw new ArchiveError(`was damaged on the way: chunk ${index} has another digest; push it again`);
    }
    await writeSparse(this.#file, data, offset);
    const entry = Buffer.alloc(4);
    entry.writeUInt32LE(index);
    // After the bytes: what is in the list is in the file, unless the host itself went down, which the digest of the whole tells.
    await appendFile(this.#log, entry);
    this.#have.add(index);
  }

  /** The last block may be a hole. */
  async finish(): Promise<void> {
    await this.#file.truncate(this.#sizeBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
