import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../helpers/eventually.js";
import { freshName } from "../../helpers/run-tag.js";

/** A control group, of either version, with a limit of memory. Disposing of it removes it, once it is empty. */
export class MemoryGroup implements AsyncDisposable {
  private constructor(
    readonly name: string,
    readonly path: string,
  ) {}

  static async make(limitMib: number): Promise<MemoryGroup> {
    const isFirstVersion = existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    const name = freshName();
    const group = new MemoryGroup(name, join(isFirstVersion ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup", name));
    await mkdir(group.path);
    const limit = isFirstVersion ? "memory.limit_in_bytes" : "memory.max";
    await writeFile(join(group.path, limit), `${limitMib * 2 ** 20}`);
    return group;
  }

  async add(pid: number): Promise<void> {
    await writeFile(join(this.path, "cgroup.procs"), `${pid}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const members = async () => await readFile(join(this.path, "cgroup.procs"), "utf8");
    await eventually(async () => {
      if ((await members()) !== "") throw new Error("there are processes left in it");
    });
    await rmdir(this.path);
  }
}
