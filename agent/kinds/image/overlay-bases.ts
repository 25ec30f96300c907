import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Instances of which a persistent disk lies over this file, whatever their specification names: drivers record the files below their
 * overlays beside these, as "disk{n}.bases.json". Read only when a file is about to go.
 */
export async function findInstancesOver(state: string, path: string): Promise<readonly string[]> {
  const directory = join(state, "instances");
  const found: string[] = [];
  for (const id of await readdir(directory).catch(() => [])) {
    const own = join(directory, id, "driver");
    const records = (await readdir(own).catch(() => [])).filter((name) => name.endsWith(".bases.json"));
    const texts = await Promise.all(records.map((name) => readFile(join(own, name), "utf8").catch(() => "")));
    if (texts.some((text) => text.includes(JSON.stringify(path)))) found.push(id);
  }
  return found;
}
