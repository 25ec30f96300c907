import { stat } from "node:fs/promises";
import { join } from "node:path";
import { toolEnvironment } from "../../lib/environment/tool-environment.js";

/**
 * Which file a tool is now, by its path, inode, size and time of change: another text means that the tool may be another one. Undefined: it is
 * not there.
 */
export async function findToolFile(tool: string): Promise<string | undefined> {
  for (const folder of (toolEnvironment(process.env)["PATH"] ?? "").split(":")) {
    const path = join(folder, tool);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true || (found.mode & 0o111) === 0) continue;
    return [path, found.dev, found.ino, found.size, found.mtimeMs, found.ctimeMs].join(" ");
  }
  return undefined;
}
