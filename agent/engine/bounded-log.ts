import { copyFile, stat, truncate } from "node:fs/promises";

/**
 * Empties a log that others append to once it is longer than `maxBytes`; what was in it is kept as "<path>.1". Call now and then.
 * Never rejects: a log that is not there is short enough.
 */
export async function boundLog(path: string, maxBytes: number): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= maxBytes) return;
  // On a full disk there is no room for a copy, and the more need for this.
  await copyFile(path, `${path}.1`).catch(() => undefined);
  await truncate(path).catch(() => undefined);
}
