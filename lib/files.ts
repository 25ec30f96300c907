import { randomBytes } from "node:crypto";
import { access, constants, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Replaces a file so that after a crash at any moment either the old or the new content is there, never a mixture.
 * Durable when it resolves. @param options.mode default 0o600.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const scratch = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(scratch, "wx", options.mode ?? 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(scratch, path);
  } catch (error) {
    await unlink(scratch).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes renames and removals in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Whether there is something at a path that the caller gets to, links followed. */
export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Whether there is a program at a path that the caller may run, links followed. */
export async function canRun(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** A file's text, or undefined when there is none. */
export async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Sets a damaged file aside under a name that says so and resolves to that name. */
export async function setAside(path: string, now: Date): Promise<string> {
  const target = `${path}.corrupt-${now.toISOString().replaceAll(":", "")}`;
  await rename(path, target);
  return target;
}
