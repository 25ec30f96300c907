import { open, rename, rm } from "node:fs/promises";

/** Writes a file, readable for its owner alone, which is there when it is whole. */
export async function writeWholeFile(path: string, data: Uint8Array): Promise<void> {
  const scratch = `${path}.${process.pid}.part`;
  try {
    await using handle = await open(scratch, "wx", 0o600);
    await handle.writeFile(data);
  } catch (error) {
    await rm(scratch, { force: true });
    throw error;
  }
  await rename(scratch, path);
}
