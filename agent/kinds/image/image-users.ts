import { basename, dirname, join } from "node:path";
import type { DirectoryImages } from "../../images/directory-images.js";
import { namesOf } from "../../images/image-names.js";
import type { ImageStore } from "../../images/image-store.js";
import type { StoredImage } from "../../images/stored-image.js";
import type { ImageUses } from "./image-uses.js";
import { findInstancesOver } from "./overlay-bases.js";

/** What users of images are found in. */
export interface UsersOptions {
  readonly store: ImageStore;
  readonly directories: DirectoryImages;
  readonly uses: ImageUses;
  /** State directory of the agent. */
  readonly state: string;
  readonly nameOf: (kind: "image" | "instance", id: string) => string;
}

/** Who needs an image: instances that name it or whose disks lie over it, and images that are only the difference to it. */
export class ImageUsers {
  readonly #options: UsersOptions;

  constructor(options: UsersOptions) {
    this.#options = options;
  }

  /** Of an image of the store. What another image gives as well is not lost with this one. */
  of(image: StoredImage): readonly string[] {
    const { store, uses } = this.#options;
    const isShared = this.#isShared(image);
    const names = namesOf(image).filter((name) => !(isShared && name.startsWith("sha256:")));
    const paths = names.map((name) => join(store.directory, name));
    const all = [...paths, ...(isShared ? [] : [store.contentPath(image.sha256)])];
    return [...uses.of([...names, ...all]), ...this.#imagesOver(all)];
  }

  /** Of an image in a directory. */
  ofPath(id: string, path: string): readonly string[] {
    return [...this.#options.uses.of([id, path]), ...this.#imagesOver([path])];
  }

  /** Like {@link of}, with instances that name another image by now. Reads what was recorded beside their disks. */
  async all(image: StoredImage): Promise<readonly string[]> {
    const { store, state, nameOf } = this.#options;
    const named = this.of(image);
    if (this.#isShared(image)) return named;
    const over = await findInstancesOver(state, store.contentPath(image.sha256));
    return [...new Set([...named, ...over.map((id) => nameOf("instance", id))])].sort();
  }

  /** Ids of the images that a name in a specification means. */
  named(name: string): readonly string[] {
    const { store, directories } = this.#options;
    const asked = dirname(name) === store.directory ? basename(name) : name;
    const digest = /(?:^sha256:|\/\.content\/)([0-9a-f]{64})$/.exec(asked)?.[1];
    if (digest !== undefined) return store.having(digest);
    const id = asked.split(":")[0] ?? "";
    if (store.find(id) !== undefined) return [id];
    const lying = directories.find(name) ?? directories.at(name);
    return lying === undefined ? [] : [lying.id];
  }

  /** Ids of the images of which something else is seen once this one has come, changed or gone. */
  related({ id, sha256, backing }: StoredImage): readonly string[] {
    const below = this.baseOf(backing);
    return [id, ...this.#options.store.having(sha256), ...(below === undefined ? [] : [below])];
  }

  /** Id of the image whose file has a path; undefined where that is deeper in a directory, or there is none. */
  baseOf(path: string | undefined): string | undefined {
    const { store, directories } = this.#options;
    if (path === undefined) return undefined;
    const digest = /^[0-9a-f]{64}$/.exec(basename(path))?.[0] ?? "";
    if (path === store.contentPath(digest)) return store.having(digest)[0];
    return directories.at(path)?.id;
  }

  #isShared({ id, sha256 }: StoredImage): boolean {
    return this.#options.store.having(sha256).some((other) => other !== id);
  }

  #imagesOver(paths: readonly string[]): readonly string[] {
    const { store, directories, nameOf } = this.#options;
    const ids = [...store.over(paths), ...directories.over(paths).filter((id) => store.find(id) === undefined)];
    return ids.map((id) => nameOf("image", id));
  }
}
