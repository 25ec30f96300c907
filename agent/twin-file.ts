import { readIfExists, setAside, writeFileAtomic } from "../lib/files.js";

/** Writes a file and its second copy, durably; the copy comes first, so that the old file stands when the disk fills in between. */
export async function writeTwinFile(path: string, text: string): Promise<void> {
  await writeFileAtomic(copyOf(path), text);
  await writeFileAtomic(path, text);
}

/**
 * Reads a file of {@link writeTwinFile}. A copy that `parse` throws for is set aside, told, and written again from the good one.
 * Undefined when there is no good copy.
 */
export async function readTwinFile<T>(
  path: string,
  parse: (text: string) => T,
  onDamage: (message: string) => void,
): Promise<T | undefined> {
  const file = await readCopy(path, parse, onDamage);
  const copy = await readCopy(copyOf(path), parse, onDamage);
  const good = file ?? copy;
  if (good === undefined) return undefined;
  if (file?.text !== copy?.text) {
    // One good copy is left; a full disk must not keep the agent from using it.
    await writeTwinFile(path, good.text).catch(() => onDamage(`${path} could not be written again`));
  }
  return good.value;
}

async function readCopy<T>(
  path: string,
  parse: (text: string) => T,
  onDamage: (message: string) => void,
): Promise<{ readonly text: string; readonly value: T } | undefined> {
  const text = await readIfExists(path);
  if (text === undefined) return undefined;
  try {
    return { text, value: parse(text) };
  } catch {
    onDamage(`${path} was damaged and is set aside as ${await setAside(path, new Date())}`);
    return undefined;
  }
}

function copyOf(path: string): string {
  return path.replace(/\.json$/, ".bak.json");
}
