import { chmod, mkdir, open, readdir, readFile, readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory, writeFileAtomic } from "../../lib/files.js";
import { damagedSuffix } from "../drivers/images.js";
import { storeDirectory } from "./store-paths.js";
import { readChunkIndex, writeChunkIndex } from "./chunk-index.js";
import type { ScannedContent, StoredChunk } from "./content-scan.js";
import { ImageIndex, namesOf } from "./image-names.js";
import { type StoredImage, storedImageSchema } from "./stored-image.js";

/** What opening the store found that is not as it should be, for people. */
export interface StoreDamage {
  readonly id: string;
  readonly message: string;
}

/** No image can be called so. */
const [contentName, recordsName] = [".content", ".records"];
const isScratch = (name: string): boolean => name.endsWith(".tmp");

/**
 * The images that were brought to this host: each content is one whole file, named by its digest, that is never written again; several
 * images may have the same one. Drivers use these files directly.
 */
export class ImageStore {
  readonly directory: string;
  readonly #index = new ImageIndex();
  readonly #damaged = new Set<string>();
  /** Contents that are being put in place: nobody takes them away in between. */
  readonly #arriving = new Map<string, number>();
  /** Links that are there, by name, with where they lead. */
  readonly #links = new Map<string, string>();
  #linking: Promise<void> = Promise.resolve();

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Opens the store below the agent's state directory. What an earlier run left half done is taken away, or finished. */
  static async open(state: string): Promise<{ readonly store: ImageStore; readonly damage: readonly StoreDamage[] }> {
    const store = new ImageStore(storeDirectory(state));
    for (const directory of [store.directory, store.#content, store.#records])
      await mkdir(directory, { recursive: true, mode: 0o700 });
    const damage: StoreDamage[] = [];
    for (const file of await readdir(store.#records)) {
      const path = join(store.#records, file);
      if (isScratch(file)) await rm(path, { force: true });
      if (!file.endsWith(".json")) continue;
      const image = parse(await readFile(path, "utf8").catch(() => ""));
      if (image === undefined || `${image.id}.json` !== file) {
        await rename(path, `${path}.corrupt`);
        damage.push({ id: file.slice(0, -".json".length), message: "its record was damaged and is set aside" });
        continue;
      }
      store.#index.set(image);
    }
    await store.#sweep();
    for (const entry of await readdir(store.directory, { withFileTypes: true }))
      if (entry.isSymbolicLink())
        store.#links.set(entry.name, await readlink(join(store.directory, entry.name)).catch(() => ""));
    await store.#link([...store.#links.keys(), ...store.#index.names().keys()]);
    return { store, damage };
  }

  list(): readonly StoredImage[] {
    return this.#index.list();
  }

  find(id: string): StoredImage | undefined {
    return this.#index.find(id);
  }

  /** Ids of the images with a content. */
  having(sha256: string): readonly string[] {
    return this.#index.having(sha256);
  }

  /** Ids of the images that are only the difference to one of these files. */
  over(paths: readonly string[]): readonly string[] {
    return this.#index.over(paths);
  }

  /** Whether the store has a content already, and it is what it was. */
  isWhole(sha256: string): boolean {
    return this.having(sha256).length > 0 && !this.#damaged.has(sha256);
  }

  /** Path of a content. */
  contentPath(sha256: string): string {
    return join(this.#content, sha256);
  }

  isDamaged(sha256: string): boolean {
    return this.#damaged.has(sha256);
  }

  /** Keeps a content from going with its last image. @returns undefined when it is not there whole. */
  hold(sha256: string): AsyncDisposable | undefined {
    if (!this.isWhole(sha256)) return undefined;
    this.#arriving.set(sha256, (this.#arriving.get(sha256) ?? 0) + 1);
    return { [Symbol.asyncDispose]: () => this.#release(sha256) };
  }

  /** The chunks of a content. They are read again when their list was lost. */
  async chunksOf(sha256: string): Promise<readonly StoredChunk[] | undefined> {
    return readChunkIndex(this.#indexPath(sha256));
  }

  /**
   * Takes in an image. Durable when it resolves.
   * @param path the file with its content, on the same file system; it is moved. Undefined: the store has the content.
   */
  async add(image: StoredImage, content: ScannedContent, path: string | undefined): Promise<void> {
    const { sha256 } = image;
    const before = this.find(image.id);
    this.#arriving.set(sha256, (this.#arriving.get(sha256) ?? 0) + 1);
    try {
      if (path !== undefined) {
        await seal(path);
        await writeChunkIndex(this.#indexPath(sha256), content.chunks);
        await rename(path, this.contentPath(sha256));
        await rm(`${this.contentPath(sha256)}${damagedSuffix}`, { force: true });
        this.#damaged.delete(sha256);
        await syncDirectory(this.#content);
      }
      await this.put(image);
    } catch (error) {
      if (before === undefined) {
        this.#index.delete(image.id);
        await rm(this.#recordPath(image.id), { force: true });
      }
      throw error;
    } finally {
      await this.#release(sha256);
    }
  }

  async #release(sha256: string): Promise<void> {
    const left = (this.#arriving.get(sha256) ?? 1) - 1;
    if (left > 0) this.#arriving.set(sha256, left);
    else this.#arriving.delete(sha256);
    await this.#dropContent(sha256);
  }

  /** Writes what is said of an image. Durable when it resolves. */
  async put(image: StoredImage): Promise<void> {
    const before = this.find(image.id);
    await writeFileAtomic(this.#recordPath(image.id), `${JSON.stringify(image)}\n`);
    this.#index.set(image);
    await this.#link([...(before === undefined ? [] : namesOf(before)), ...namesOf(image)]);
  }

  /** Hides an image's names, so that nobody opens it any more; what it was opened for goes on. Returns how to show them again. */
  async hide(id: string): Promise<() => Promise<void>> {
    const image = this.find(id);
    if (image === undefined) return async () => undefined;
    this.#index.delete(id);
    await this.#link(namesOf(image));
    return async () => {
      this.#index.set(image);
      await this.#link(namesOf(image));
    };
  }

  /** Removes a hidden image, and its content when no other image has it. Durable when it resolves. */
  async remove(image: StoredImage): Promise<void> {
    await rm(this.#recordPath(image.id), { force: true });
    await syncDirectory(this.#records);
    await this.#dropContent(image.sha256);
  }

  /** Marks a content as damaged, or as whole again. */
  async mark(sha256: string, reason: string | undefined): Promise<void> {
    const path = `${this.contentPath(sha256)}${damagedSuffix}`;
    if (reason === undefined) {
      await rm(path, { force: true });
      this.#damaged.delete(sha256);
    } else {
      await writeFileAtomic(path, `${reason}\n`);
      this.#damaged.add(sha256);
    }
  }

  async #dropContent(sha256: string): Promise<void> {
    if (this.having(sha256).length > 0 || this.#arriving.has(sha256)) return;
    const path = this.contentPath(sha256);
    for (const each of [`${path}${damagedSuffix}`, this.#indexPath(sha256), path]) await rm(each, { force: true });
  }

  /** Takes away contents that belong to no image, and finds out which are damaged or gone. */
  async #sweep(): Promise<void> {
    const files = await readdir(this.#content);
    for (const file of files) {
      const sha256 = file.split(".")[0] ?? "";
      if (isScratch(file) || this.having(sha256).length === 0) await rm(join(this.#content, file), { force: true });
      else if (file === `${sha256}${damagedSuffix}`) this.#damaged.add(sha256);
    }
    for (const { sha256, sizeBytes } of this.list()) {
      const found = await stat(this.contentPath(sha256)).catch(() => undefined);
      if (found?.size !== sizeBytes) await this.mark(sha256, "it has another size than it had");
    }
  }

  /** Makes the links of these names what the images say; one call after the other. */
  #link(names: readonly string[]): Promise<void> {
    const turn = this.#linking.then(() => this.#linkNow(new Set(names)));
    this.#linking = turn.catch(() => undefined);
    return turn;
  }

  async #linkNow(names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      const content = this.#index.contentOf(name);
      const target = content === undefined ? undefined : join(contentName, content);
      if (this.#links.get(name) === target) continue;
      const path = join(this.directory, name);
      if (target === undefined) {
        await rm(path, { force: true });
        this.#links.delete(name);
        continue;
      }
      // A name may have come to mean another content: the new link takes the place of the old one at once.
      const scratch = join(this.directory, ".link.tmp");
      await rm(scratch, { force: true });
      await symlink(target, scratch);
      await rename(scratch, path);
      this.#links.set(name, target);
    }
  }

  get #content(): string {
    return join(this.directory, contentName);
  }

  get #records(): string {
    return join(this.directory, recordsName);
  }

  #recordPath(id: string): string {
    return join(this.#records, `${id}.json`);
  }

  #indexPath(sha256: string): string {
    return `${this.contentPath(sha256)}.chunks`;
  }
}

/** Makes a file durable and read-only. */
async function seal(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.chown(0, 0).catch((error: unknown) => {
      // Not root, as in tests: then it is ours as it is.
      if (process.getuid?.() === 0) throw error;
    });
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(path, 0o444);
}

function parse(content: string): StoredImage | undefined {
  try {
    return storedImageSchema.parse(JSON.parse(content));
  } catch {
    return undefined;
  }
}
