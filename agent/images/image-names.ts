import type { StoredImage } from "./stored-image.js";

/** All names by which an image can be asked for. */
export function namesOf({ id, tags, sha256 }: StoredImage): readonly string[] {
  return [id, ...tags.map((tag) => `${id}:${tag}`), `sha256:${sha256}`];
}

/** The images of the store, and what follows from them, kept as they come and go. */
export class ImageIndex {
  readonly #images = new Map<string, StoredImage>();
  readonly #byContent = new Map<string, Set<string>>();
  /** Ids of those that are only the difference to a file, by its path. */
  readonly #over = new Map<string, Set<string>>();

  list(): readonly StoredImage[] {
    return [...this.#images.values()];
  }

  find(id: string): StoredImage | undefined {
    return this.#images.get(id);
  }

  /** Puts in or replaces. */
  set(image: StoredImage): void {
    this.delete(image.id);
    this.#images.set(image.id, image);
    note(this.#byContent, image.sha256, image.id);
    if (image.backing !== undefined) note(this.#over, image.backing, image.id);
  }

  delete(id: string): void {
    const image = this.#images.get(id);
    if (image === undefined) return;
    this.#images.delete(id);
    drop(this.#byContent, image.sha256, id);
    if (image.backing !== undefined) drop(this.#over, image.backing, id);
  }

  /** Ids of the images with a content. */
  having(sha256: string): readonly string[] {
    return [...(this.#byContent.get(sha256) ?? [])];
  }

  /** Ids of the images that are only the difference to one of these files. */
  over(paths: readonly string[]): readonly string[] {
    return paths.flatMap((path) => [...(this.#over.get(path) ?? [])]);
  }

  /** All names, with the content that each means; of images that share a content any. */
  names(): ReadonlyMap<string, string> {
    return new Map(this.list().flatMap((image) => namesOf(image).map((name) => [name, image.sha256] as const)));
  }

  /** The content that a name means. */
  contentOf(name: string): string | undefined {
    const digest = /^sha256:([0-9a-f]{64})$/.exec(name)?.[1];
    if (digest !== undefined) return this.#byContent.has(digest) ? digest : undefined;
    const [id = "", tag] = name.split(":");
    const image = this.#images.get(id);
    return image !== undefined && (tag === undefined || image.tags.includes(tag)) ? image.sha256 : undefined;
  }
}

function note(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key) ?? new Set<string>();
  ids.add(id);
  index.set(key, ids);
}

function drop(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  ids?.delete(id);
  if (ids?.size === 0) index.delete(key);
}
