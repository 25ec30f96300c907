import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { failedPrecondition } from "../../lib/errors.js";

/** A file that what is shown is added to. */
export interface RecordFile extends AsyncDisposable {
  write(data: Uint8Array): Promise<void>;
}

/** Opens a file to be added to; one that is made is readable for its owner alone. No link is followed. @throws {ZorError} */
export async function openRecordFile(path: string): Promise<RecordFile> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600).catch(
    (error: NodeJS.ErrnoException) => {
      const why = error.code === "ELOOP" ? "it is a symbolic link" : error.message;
      throw failedPrecondition("RECORD_FILE", path, `cannot write to ${path}: ${why}`);
    },
  );
  return {
    write: async (data) => {
      await file.appendFile(data);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
