import { hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { StoredChunk } from "../../images/content-scan.js";
import type { ImageStore } from "../../images/image-store.js";

interface Place {
  readonly content: string;
  readonly offset: number;
}

/** The chunks of all images that are on this host, by digest. */
export class LocalChunks implements AsyncDisposable {
  readonly #store: ImageStore;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #files = new Map<string, FileHandle>();

  private constructor(store: ImageStore, places: ReadonlyMap<string, Place>) {
    this.#store = store;
    this.#places = places;
  }

  static async open(store: ImageStore): Promise<LocalChunks> {
    const places = new Map<string, Place>();
    for (const content of new Set(store.list().map(({ sha256 }) => sha256))) {
      if (store.isDamaged(content)) continue;
      let offset = 0;
      for (const { sha256, length } of (await store.chunksOf(content)) ?? []) {
        places.set(sha256, { content, offset });
        offset += length;
      }
    }
    return new LocalChunks(store, places);
  }

  /** The bytes of a chunk; undefined when no image here has it, or not any more. */
  async read(chunk: StoredChunk | undefined): Promise<Buffer | undefined> {
    const place = chunk === undefined ? undefined : this.#places.get(chunk.sha256);
    if (chunk === undefined || place === undefined) return undefined;
    try {
      const file = this.#files.get(place.content) ?? (await open(this.#store.contentPath(place.content), "r"));
      this.#files.set(place.content, file);
      const { buffer } = await file.read(Buffer.allocUnsafe(chunk.length), 0, chunk.length, place.offset);
      return hash("sha256", buffer, "hex") === chunk.sha256 ? buffer : undefined;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }
}
