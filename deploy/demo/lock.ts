import { mkdir, open, readFile, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { findIdentity, isAlive } from "../../lib/process.js";
import { demosDirectory } from "./layout.js";

/**
 * Holds a demo for one command at a time until it is disposed. A lock whose holder has died is taken over.
 * @throws {Error} naming the holder's pid when another command works on the demo.
 */
export async function lockDemo(name: string): Promise<AsyncDisposable> {
  const path = join(demosDirectory, `.${name}.lock`);
  const self = await findIdentity(process.pid);
  for (let tries = 0; tries < 3; tries++) {
    await mkdir(demosDirectory, { recursive: true, mode: 0o711 });
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(`${process.pid} ${self?.startTicks ?? ""}\n`);
      await file.close();
      return { [Symbol.asyncDispose]: () => release(path) };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && (error.code === "EEXIST" || error.code === "ENOENT")))
        throw error;
    }
    const [pid = "", startTicks = ""] = (await readFile(path, "utf8").catch(() => "")).trim().split(" ");
    if (await isAlive({ pid: Number(pid), startTicks })) {
      throw new Error(`another command (pid ${pid}) is working on demo ${name}; wait until it has ended`);
    }
    await unlink(path).catch(() => undefined);
  }
  throw new Error(`the lock ${path} cannot be taken`);
}

/** The directory of all demos goes with the last of them. */
async function release(path: string): Promise<void> {
  await unlink(path);
  await rmdir(demosDirectory).catch(() => undefined);
}
