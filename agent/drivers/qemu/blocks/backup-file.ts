import type { FileHandle } from "node:fs/promises";
import { failedPrecondition } from "../../../../lib/errors.js";
import type { BackupLayer } from "../../abilities/backups.js";
import { parseQcow2Header, qcow2HeaderBytes } from "../qcow2.js";
import { toldOf } from "../../../host/told.js";

/**
 * A file of a backup that was looked at before QEMU does: another host may have written it. Which file is below it is told to QEMU, but not
 * that it keeps its data in itself.
 * @throws {ZorError} FAILED_PRECONDITION
 */
export async function backupFile(layer: BackupLayer, name: string, resource: string): Promise<FileHandle> {
  const file = layer.get(name);
  const problem = file === undefined ? `(${name}) is missing` : await problemOf(file);
  if (file !== undefined && problem === "") return file;
  const message = `${resource}: a file of its backup ${problem}; restore an earlier one, and delete this one`;
  throw failedPrecondition("BACKUP_DAMAGED", resource, message);
}

async function problemOf(file: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, 0);
  return findProblem(buffer.subarray(0, bytesRead));
}

function findProblem(start: Buffer): string {
  try {
    const { externalData, encrypted } = parseQcow2Header(start);
    if (externalData) return "keeps its data in another file";
    return encrypted ? "is encrypted" : "";
  } catch (error) {
    return toldOf(error);
  }
}
