import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { failedPrecondition } from "../../lib/errors.js";
import { writeFileAtomic } from "../../lib/files.js";

/**
 * Writes a text to a file, readable for its owner alone; "~/" is the user's own directory. Nothing that is there is touched, unless it is to be
 * replaced. @throws {ZorError}
 */
export async function saveText(path: string, text: string, replace = false): Promise<void> {
  const file = path.replace(/^~(?=\/)/, () => homedir());
  try {
    if (replace) await writeFileAtomic(file, text);
    else await writeFile(file, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "there is one of that name; give another" : message;
    throw failedPrecondition("FILE_NOT_WRITTEN", path, why);
  }
}
