import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, syncDirectory } from "../../../lib/files.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { run } from "../../host/exec.js";

/** Creations of one image that may wait for each other. */
const maxWaiting = 4096;
const syncTimeoutMs = 600_000;

/**
 * Layers of root filesystems, each once for all containers of the host that are made of it, known by the digest of its content.
 * `layers/{key}/tree` is a whole layer and never changes; `layers/{key}/owners/{uid}` says who needs it, and `owners/{uid}/{key}` the
 * same the other way round: that one is made first and removed last, so that whatever a crash leaves is found by its owner.
 */
export class LayerStore {
  readonly #directory: string;
  readonly #queue = new KeyedQueue(maxWaiting);

  /** @param directory of the store's own, on the file system of the containers. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where the layers are, each as "{key}/tree". */
  get layersDirectory(): string {
    return join(this.#directory, "layers");
  }

  /** Path of a layer that is there. */
  treeOf(key: string): string {
    return join(this.layersDirectory, key, "tree");
  }

  /**
   * Makes a layer one that its owner needs, until {@link release}. Idempotent.
   * @param fill extracts it into an empty directory, when it is not there yet.
   */
  async use(uid: string, key: string, fill: (directory: string) => Promise<void>): Promise<void> {
    await this.#queue.run(key, async () => {
      const home = join(this.layersDirectory, key);
      for (const path of [this.#ownedBy(uid), join(home, "owners")]) {
        await mkdir(path, { recursive: true, mode: 0o700 });
      }
      await writeFile(join(this.#ownedBy(uid), key), "", { mode: 0o600 });
      await writeFile(join(home, "owners", uid), "", { mode: 0o600 });
      await syncDirectory(this.#ownedBy(uid));
      if (await exists(this.treeOf(key))) return;
      const scratch = join(home, "new");
      // What a crash in the middle has left.
      await rm(scratch, { recursive: true, force: true });
      await mkdir(scratch, { mode: 0o755 });
      try {
        await fill(scratch);
        // Before it has its name: a layer that is there is whole, after a loss of power too.
        await run("sync", ["--file-system", scratch], { timeoutMs: syncTimeoutMs });
        await rename(scratch, this.treeOf(key));
        await syncDirectory(home);
      } catch (error) {
        await rm(scratch, { recursive: true, force: true });
        throw error;
      }
    });
  }

  /** Lets go of all layers of an owner; those that nobody needs any more are removed. Idempotent. */
  async release(uid: string): Promise<void> {
    const keys = await readdir(this.#ownedBy(uid)).catch(() => []);
    for (const key of keys) await this.#queue.run(key, () => this.#release(uid, key));
    await rm(this.#ownedBy(uid), { recursive: true, force: true });
  }

  async #release(uid: string, key: string): Promise<void> {
    const home = join(this.layersDirectory, key);
    await rm(join(home, "owners", uid), { force: true });
    if ((await readdir(join(home, "owners")).catch(() => [])).length === 0) {
      // Half removed it must not be taken for whole.
      await rename(this.treeOf(key), join(home, "new")).catch(() => undefined);
      await rm(home, { recursive: true, force: true });
    }
    await rm(join(this.#ownedBy(uid), key), { force: true });
  }

  #ownedBy(uid: string): string {
    return join(this.#directory, "owners", uid);
  }
}
