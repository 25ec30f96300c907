import type { FileHandle } from "node:fs/promises";
import { readAt } from "../file-start.js";

/** A file in an archive, where its bytes are. */
export interface ArchiveMember {
  readonly name: string;
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  /** How many there are in the archive. */
  readonly packedBytes: number;
  /** How many it says to be when unpacked. */
  readonly sizeBytes: number;
  readonly isDeflated: boolean;
}

/** An archive that is not as it should be; the message completes "the image …". */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

const maxMembers = 1000;
const maxDirectoryBytes = 4 * 1024 * 1024;
const [endMagic, end64Magic, locator64Magic, entryMagic, localMagic] = [
  0x06054b50, 0x06064b50, 0x07064b50, 0x02014b50, 0x04034b50,
];
const max32 = 0xffffffff;

/** Lists the files in a zip archive (APPNOTE.TXT 6.3.9) by its central directory. @throws {ArchiveError} */
export async function listZip(file: FileHandle): Promise<readonly ArchiveMember[]> {
  const { size } = await file.stat();
  const tailAt = Math.max(0, size - 66_000);
  const tail = await readAt(file, tailAt, size - tailAt);
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== endMagic) at -= 1;
  if (at < 0) throw new ArchiveError("is a zip archive without an end: it was cut short");
  let [count, bytes, offset] = [tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
  if (at >= 20 && tail.readUInt32LE(at - 20) === locator64Magic) {
    const record = await readAt(file, toNumber(tail.readBigUInt64LE(at - 12)), 56);
    if (record.length < 56 || record.readUInt32LE(0) !== end64Magic) throw new ArchiveError("is a damaged zip archive");
    count = toNumber(record.readBigUInt64LE(32));
    bytes = toNumber(record.readBigUInt64LE(40));
    offset = toNumber(record.readBigUInt64LE(48));
  }
  if (count > maxMembers || bytes > maxDirectoryBytes) {
    throw new ArchiveError(`is a zip archive of more than ${maxMembers} files; unpack it and import the disk inside`);
  }
  const directory = await readAt(file, offset, bytes);
  const members: ArchiveMember[] = [];
  for (let entry = 0; members.length < count; ) {
    if (entry + 46 > directory.length || directory.readUInt32LE(entry) !== entryMagic) {
      throw new ArchiveError("is a damaged zip archive");
    }
    const lengths = [28, 30, 32].map((field) => directory.readUInt16LE(entry + field));
    const [nameLength = 0, extraLength = 0, commentLength = 0] = lengths;
    members.push(await readEntry(file, directory.subarray(entry, entry + 46 + nameLength + extraLength)));
    entry += 46 + nameLength + extraLength + commentLength;
  }
  return members.filter(({ name }) => !name.endsWith("/"));
}

async function readEntry(file: FileHandle, entry: Buffer): Promise<ArchiveMember> {
  const [flags, method, nameLength] = [entry.readUInt16LE(8), entry.readUInt16LE(10), entry.readUInt16LE(28)];
  const name = entry.toString("utf8", 46, 46 + nameLength);
  if ((flags & 1) !== 0) throw new ArchiveError("is an encrypted zip archive; unpack it and import the disk inside");
  if (method !== 0 && method !== 8) {
    throw new ArchiveError("is a zip archive packed in an unusual way; unpack it and import the disk inside");
  }
  let [packedBytes, sizeBytes, localAt] = [entry.readUInt32LE(20), entry.readUInt32LE(24), entry.readUInt32LE(42)];
  for (let extra = 46 + nameLength; extra + 4 <= entry.length; extra += 4 + entry.readUInt16LE(extra + 2)) {
    if (entry.readUInt16LE(extra) !== 1) continue;
    let field = extra + 4;
    const next = (): number => {
      if (field + 8 > entry.length) throw new ArchiveError("is a damaged zip archive");
      field += 8;
      return toNumber(entry.readBigUInt64LE(field - 8));
    };
    if (sizeBytes === max32) sizeBytes = next();
    if (packedBytes === max32) packedBytes = next();
    if (localAt === max32) localAt = next();
  }
  const local = await readAt(file, localAt, 30);
  if (local.length < 30 || local.readUInt32LE(0) !== localMagic) throw new ArchiveError("is a damaged zip archive");
  const offset = localAt + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  return { name, offset, packedBytes, sizeBytes, isDeflated: method === 8 };
}

function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ArchiveError("is a damaged zip archive");
  return Number(value);
}
