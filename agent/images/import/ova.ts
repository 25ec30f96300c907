import type { FileHandle } from "node:fs/promises";
import { readAt } from "../file-start.js";
import { ArchiveError, type ArchiveMember } from "./zip.js";

const blockBytes = 512;
const maxMembers = 64;

/**
 * Lists an OVA: a plain tar archive whose first file is the .ovf (DSP0243, 5.3).
 * @returns undefined when it is another tar archive. @throws {ArchiveError}
 */
export async function listOva(file: FileHandle): Promise<readonly ArchiveMember[] | undefined> {
  const { size } = await file.stat();
  const members: ArchiveMember[] = [];
  let entries = 0;
  for (let at = 0; at + blockBytes <= size; ) {
    const header = await readAt(file, at, blockBytes);
    if (header.every((byte) => byte === 0)) break;
    const sizeBytes = readSize(header);
    const type = header.toString("latin1", 156, 157);
    const name = header.toString("utf8", 0, 100).replace(/\0.*$/s, "");
    if (members.length === 0 && !/\.ovf$/i.test(name)) return undefined;
    const isFile = type === "0" || type === "\0";
    if (isFile) {
      const offset = at + blockBytes;
      if (offset + sizeBytes > size) throw new ArchiveError("is an OVA that was cut short");
      members.push({ name, offset, packedBytes: sizeBytes, sizeBytes, isDeflated: false });
    }
    // Directories and the like count: a file may be nothing but headers.
    entries += 1;
    if (entries > maxMembers) throw new ArchiveError(`is an OVA of more than ${maxMembers} files`);
    at += blockBytes + Math.ceil(sizeBytes / blockBytes) * blockBytes;
  }
  return members.length === 0 ? undefined : members;
}

/** Octal, or, for large files, a number whose first bit is set (GNU tar). */
function readSize(header: Buffer): number {
  const field = header.subarray(124, 136);
  const size =
    ((field[0] ?? 0) & 0x80) !== 0
      ? Number(BigInt(`0x${field.subarray(4).toString("hex")}`))
      : Number.parseInt(field.toString("latin1").replace(/\0.*$/s, "").trim() || "0", 8);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new ArchiveError("is a damaged tar archive");
}
