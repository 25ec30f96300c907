import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../../../lib/files.js";

/** Beside the directory of the disks: what they were, until others are durable; and after that, until it is removed. */
const [beforeSuffix, goneSuffix] = [".before", ".gone"];

/** What else is made anew with disks: has it be what was made from now on, or what it was; both done twice are as done once. */
export type SettleMore = (keep: "new" | "old") => Promise<void>;

/**
 * Makes disks anew; on error they are what they were, also when that is the end of the agent ({@link settleDisks}).
 * @param disks their directory.
 * @param how.settle what else was made is adopted once the disks are durable, and else dropped.
 */
export async function replaceDisks(
  disks: string,
  { make, settle }: { readonly make: () => Promise<void>; readonly settle: SettleMore },
): Promise<void> {
  await settleDisks(disks, settle);
  await rename(disks, `${disks}${beforeSuffix}`);
  await syncDirectory(dirname(disks));
  try {
    await make();
    await syncFiles(disks);
    // From here on the new ones count.
    await rename(`${disks}${beforeSuffix}`, `${disks}${goneSuffix}`);
  } catch (error) {
    await settleDisks(disks, settle);
    throw error;
  }
  await syncDirectory(dirname(disks));
  // What cannot be finished now is by the next settling: that they count stays written down.
  await settleDisks(disks, settle);
}

/** Undoes or finishes what was cut short. Resolves to whether it was undone. Idempotent. */
export async function settleDisks(disks: string, settle: SettleMore): Promise<boolean> {
  if (await isThere(`${disks}${goneSuffix}`)) {
    await settle("new");
    await rm(`${disks}${goneSuffix}`, { recursive: true, force: true });
    return false;
  }
  const before = `${disks}${beforeSuffix}`;
  const isUndone = await isThere(before);
  if (isUndone) {
    await rm(disks, { recursive: true, force: true });
    await rename(before, disks);
    await syncDirectory(dirname(disks));
  }
  await settle("old");
  return isUndone;
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function syncFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    await using file = await open(join(directory, name), "r");
    await file.sync();
  }
  await syncDirectory(directory);
}
