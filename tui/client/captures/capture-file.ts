import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { failedPrecondition } from "../../../lib/errors.js";

/** Where blocks go. */
export interface CaptureSink {
  /** Resolves when more may be written. */
  write(data: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file of its own for frames, readable for its owner alone. One that is there is replaced; no link is followed. @throws {ZorError} */
export async function openCaptureFile(path: string): Promise<CaptureSink> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600).catch(
    (error: NodeJS.ErrnoException) => {
      throw cannotWrite(path, error.code === "ELOOP" ? "it is a symbolic link" : error.message, error);
    },
  );
  return {
    write: (data) => writeAll(file, data, path),
    close: () => file.close(),
  };
}

async function writeAll(file: FileHandle, data: Buffer, path: string): Promise<void> {
  await file.writeFile(data).catch((error: Error) => {
    throw cannotWrite(path, error.message, error);
  });
}

function cannotWrite(path: string, why: string, _cause: Error): Error {
  return failedPrecondition("CAPTURE_FILE", path, `cannot write to ${path}: ${why}`);
}

/** Removes the oldest file of a ring; one that is gone is gone. */
export async function removeCaptureFile(path: string): Promise<void> {
  await rm(path, { force: true });
}
