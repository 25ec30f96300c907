import { open, mkdtemp, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { runTag } from "../../helpers/run-tag.js";

const mib = 1024 * 1024;

/** A file system of a few hundred MiB that a test fills to the last byte. */
export class SmallDisk implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async mount(sizeMib: number): Promise<SmallDisk> {
    const directory = await mkdtemp(join(tmpdir(), `${runTag}-disk-`));
    await run("mount", ["-t", "tmpfs", "-o", `size=${sizeMib}m,mode=0700`, "zt-disk", directory]);
    return new SmallDisk(directory);
  }

  /** Fills it until so much is left. */
  async fill(leaveMib: number): Promise<void> {
    const file = await open(this.#ballast, "a");
    try {
      const block = Buffer.alloc(mib, 1);
      for (;;) {
        const { bavail, bsize } = await statfs(this.directory);
        const more = Math.min(block.length, bavail * bsize - leaveMib * mib);
        if (more <= 0) return;
        await file.write(block, 0, more);
      }
    } finally {
      await file.close();
    }
  }

  /** Makes room again. */
  async clear(): Promise<void> {
    await writeFile(this.#ballast, "");
  }

  /** Names of all files below a directory of it, but for those that grow or come by themselves. */
  async list(directory: string, ignored: RegExp): Promise<readonly string[]> {
    const names = await readdir(directory, { recursive: true });
    return names.filter((name) => !ignored.test(name)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", ["--lazy", this.directory]);
    await rm(this.directory, { recursive: true });
  }

  get #ballast(): string {
    return join(this.directory, "ballast");
  }
}
