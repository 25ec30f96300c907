import { type FSWatcher, watch } from "node:fs";
import { readdir, stat, statfs } from "node:fs/promises";

/** Files that nobody elsewhere can change without this kernel telling of it (linux/magic.h): ext, XFS, Btrfs, tmpfs, F2FS, ZFS, overlay, bcachefs. */
const localTypes: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0x2fc12fc1, 0x794c7630, 0xca451a4e,
]);
/** It is looked at that often whatever is told. */
const anywayMs = 60_000;

/**
 * Knows without looking whether files of a directory may have changed: the kernel tells. Where it cannot, on a file system of the network, or
 * of what a link leads elsewhere to, they always may have.
 */
export class WatchedDirectory {
  readonly #path: string;
  readonly #signal: AbortSignal;
  #watcher: FSWatcher | undefined;
  /** Which directory of that path is watched. */
  #which = "";
  #cannot = false;
  #isAbsent = false;
  #isDifferent = true;
  #askedMs = Number.NEGATIVE_INFINITY;

  /** @param signal ends the watching. */
  constructor(path: string, signal: AbortSignal) {
    this.#path = path;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#watcher?.close(), { once: true });
  }

  /** Whether something in it may be different from when this was asked last. */
  async mayDiffer(): Promise<boolean> {
    if (this.#cannot) return true;
    const wasAbsent = this.#isAbsent;
    if (this.#watcher === undefined && !this.#signal.aborted) await this.#begin();
    // Nothing in it was there before, nor is now.
    if (this.#isAbsent && wasAbsent) return false;
    const nowMs = performance.now();
    if (this.#watcher !== undefined && !this.#isDifferent && nowMs - this.#askedMs < anywayMs) return false;
    this.#askedMs = nowMs;
    this.#isDifferent = false;
    if (await this.#mustAskAgain()) this.#isDifferent = true;
    return true;
  }

  async #begin(): Promise<void> {
    try {
      this.#cannot = !localTypes.has((await statfs(this.#path)).type);
      this.#isAbsent = false;
      if (this.#cannot || this.#signal.aborted) return;
      // It keeps no program running.
      this.#watcher = watch(this.#path, { persistent: false });
      this.#watcher.on("change", () => {
        this.#isDifferent = true;
      });
      this.#watcher.on("error", () => {
        this.#end();
        this.#cannot = true;
      });
      this.#which = await whichOf(this.#path);
    } catch (error) {
      this.#end();
      // What is not there may come; where there are too many watches there will be.
      this.#isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
      this.#cannot = !this.#isAbsent;
    }
  }

  /** What a link leads to changes where nobody looks, and another directory may have come in the place of this one. */
  async #mustAskAgain(): Promise<boolean> {
    if (this.#watcher === undefined) return true;
    if ((await whichOf(this.#path).catch(() => "")) !== this.#which) {
      this.#end();
      return true;
    }
    const entries = await readdir(this.#path, { withFileTypes: true }).catch(() => []);
    return entries.some((entry) => entry.isSymbolicLink());
  }

  #end(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

/** Tells directories apart that have the same path one after the other: a number may be given again. @throws when there is none. */
async function whichOf(path: string): Promise<string> {
  const { ino, birthtimeMs } = await stat(path);
  return `${ino} ${birthtimeMs}`;
}
