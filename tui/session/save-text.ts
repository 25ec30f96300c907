import { writeFile } from "node:fs/promises";
import { failedPrecondition } from "../../lib/errors.js";

/** Writes a text to a new file, readable for its owner alone. Nothing that is there is touched. @throws {ZorError} */
export async function saveText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "there is one of that name; give another" : message;
    throw failedPrecondition("FILE_NOT_WRITTEN", path, why);
  }
}
