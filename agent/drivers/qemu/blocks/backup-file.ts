import type { FileHandle } from "node:fs/promises";
import { failedPrecondition } from "../../../../lib/errors.js";
import { openExactly } from "../../../host/open-exactly.js";
import { parseQcow2Header, qcow2HeaderBytes } from "../qcow2.js";
import { toldOf } from "../../../host/told.js";

/**
 * Opens a file of a backup and looks at it before QEMU does: others may write where backups lie, also after their digests were compared. Which
 * file is below it is told to QEMU, but not that it keeps its data in itself.
 * @throws {ZorError} FAILED_PRECONDITION
 */
export async function openBackupFile(path: string, resource: string): Promise<FileHandle> {
  const file = await openExactly(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(qcow2HeaderBytes), 0, qcow2HeaderBytes, 0);
    const problem = findProblem(buffer.subarray(0, bytesRead));
    if (problem === "") return file;
    const message = `${resource}: a file of its backup ${problem}; somebody has changed it`;
    throw failedPrecondition("BACKUP_DAMAGED", resource, message);
  } catch (error) {
    await file.close();
    throw error;
  }
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
