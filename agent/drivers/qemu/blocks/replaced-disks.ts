import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../../../lib/files.js";

/** Beside the directory of the disks: what they were, until others are durable; and after that, until it is removed. */
const [beforeSuffix, goneSuffix] = [".before", ".gone"];

/** Makes disks anew; on error they are what they were, also when that is the end of the agent ({@link settleDisks}). @param disks their directory. */
export async function replaceDisks(disks: string, make: () => Promise<void>): Promise<void> {
  await settleDisks(disks);
  await rename(disks, `${disks}${beforeSuffix}`);
  await syncDirectory(dirname(disks));
  try {
    await make();
    await syncFiles(disks);
    // From here on the new ones count.
    await rename(`${disks}${beforeSuffix}`, `${disks}${goneSuffix}`);
    await syncDirectory(dirname(disks));
  } catch (error) {
    await settleDisks(disks);
    throw error;
  }
  await rm(`${disks}${goneSuffix}`, { recursive: true, force: true });
}

/** Undoes or finishes what was cut short. Resolves to whether it was undone. Idempotent. */
export async function settleDisks(disks: string): Promise<boolean> {
  await rm(`${disks}${goneSuffix}`, { recursive: true, force: true });
  const before = `${disks}${beforeSuffix}`;
  if ((await stat(before).catch(() => undefined)) === undefined) return false;
  await rm(disks, { recursive: true, force: true });
  await rename(before, disks);
  await syncDirectory(dirname(disks));
  return true;
}

async function syncFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    await using file = await open(join(directory, name), "r");
    await file.sync();
  }
  await syncDirectory(directory);
}
