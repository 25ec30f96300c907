import type { FileHandle } from "node:fs/promises";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ArchiveSubject } from "./tar-archive.js";

/** A member of a zip archive, as the archive's central directory has it. */
export interface ZipMember {
  readonly name: string;
  readonly type: "file" | "directory" | "link";
  /** Permissions with set-id and sticky bits; undefined: made where there are none. */
  readonly mode: number | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly method: "stored" | "deflate";
  readonly size: number;
  readonly compressedSize: number;
  /** Of its local header in the file. */
  readonly offset: number;
}

const maxMembers = 2_000_000;
const maxDirectoryBytes = 256 * 1024 * 1024;
const [endBytes, maxCommentBytes, headerBytes] = [22, 65_535, 46];
const unset = 0xffff_ffff;
const unix = 3;
/** File types of stat(2); a program without types leaves them out. */
const fileTypes: ReadonlyMap<number, ZipMember["type"]> = new Map([
  [0, "file"],
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "link"],
]);

/**
 * Reads and checks the directory of an archive (APPNOTE.TXT 4.3.12), ZIP64 too.
 * @throws {ZorError} INVALID_ARGUMENT when it is damaged or encrypted, or holds paths that lead out of it, or devices.
 */
export async function readZipDirectory(
  file: FileHandle,
  subject: Pick<ArchiveSubject, "field" | "what">,
): Promise<readonly ZipMember[]> {
  const { field, what } = subject;
  const place = await findDirectory(file);
  if (place === undefined) {
    throw invalidArgument(field, `${what} cannot be read; it may be damaged or cut short`);
  }
  if (place.count > maxMembers) throw invalidArgument(field, `${what} holds more than ${maxMembers} files`);
  if (place.size > maxDirectoryBytes) throw invalidArgument(field, `${what} has a directory that is too large`);
  const bytes = await readAt(file, place.offset, place.size);
  const members: ZipMember[] = [];
  let at = 0;
  while (at + headerBytes <= bytes.length && members.length < place.count) {
    const header = bytes.subarray(at);
    if (header.readUInt32LE(0) !== 0x02014b50) break;
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => header.readUInt16LE(offset)) as [
      number,
      number,
      number,
    ]; // three offsets, three lengths
    const end = headerBytes + nameBytes + extraBytes + commentBytes;
    if (end > header.length) break;
    members.push(toMember(header.subarray(0, end), { nameBytes, extraBytes }, subject));
    at += end;
  }
  if (members.length !== place.count || bytes.length !== place.size) {
    throw invalidArgument(field, `${what} cannot be read; it may be damaged or cut short`);
  }
  if (members.length === 0) throw invalidArgument(field, `${what} is empty`);
  return members;
}

function toMember(
  header: Buffer,
  { nameBytes, extraBytes }: { readonly nameBytes: number; readonly extraBytes: number },
  { field, what }: Pick<ArchiveSubject, "field" | "what">,
): ZipMember {
  const name = header.toString("utf8", headerBytes, headerBytes + nameBytes);
  const refuse = (why: string) => invalidArgument(field, `${what} holds ${why}: ${quote(name)}`);
  if (name.startsWith("/")) throw refuse("an absolute path");
  if (name.split("/").includes("..")) throw refuse('a path with ".."');
  if (name === "" || /[\0\\]/.test(name)) throw refuse("a name that is none");
  if ((header.readUInt16LE(8) & 1) !== 0) throw refuse("an encrypted file");
  const method = header.readUInt16LE(10);
  if (method !== 0 && method !== 8) throw refuse("a file compressed as only zip's rarer methods do");
  const extra = fieldsOf(header.subarray(headerBytes + nameBytes, headerBytes + nameBytes + extraBytes));
  const sizes = withZip64(header, extra.get(0x0001));
  if (sizes === undefined) throw refuse("a file whose size is damaged");
  const isUnix = header.readUInt8(5) === unix;
  const attributes = isUnix ? header.readUInt32LE(38) >>> 16 : 0;
  const type = name.endsWith("/") ? "directory" : fileTypes.get(attributes & 0o170000);
  if (type === undefined) throw refuse("a device, pipe or socket");
  const mode = attributes === 0 ? undefined : attributes & 0o7777;
  return { name, type, mode, owner: ownerOf(extra.get(0x7875)), method: method === 8 ? "deflate" : "stored", ...sizes };
}

/** Extra fields by their ids. */
function fieldsOf(extra: Buffer): ReadonlyMap<number, Buffer> {
  const fields = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= extra.length; ) {
    const size = extra.readUInt16LE(at + 2);
    fields.set(extra.readUInt16LE(at), extra.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return fields;
}

/** "ux" of Info-ZIP: version 1, and user and group id, each with its length. */
function ownerOf(field: Buffer | undefined): ZipMember["owner"] {
  if (field === undefined || field[0] !== 1) return undefined;
  const uidBytes = field[1] ?? 0;
  const gidBytes = field[2 + uidBytes] ?? 0;
  if (uidBytes < 1 || uidBytes > 4 || gidBytes < 1 || gidBytes > 4 || field.length < 3 + uidBytes + gidBytes)
    return undefined;
  return { uid: field.readUIntLE(2, uidBytes), gid: field.readUIntLE(3 + uidBytes, gidBytes) };
}

/** Sizes and offset, which an extra field has where they need more than 32 bits. */
function withZip64(
  header: Buffer,
  field: Buffer | undefined,
): Pick<ZipMember, "size" | "compressedSize" | "offset"> | undefined {
  let at = 0;
  const read = (offset: number): number => {
    const value = header.readUInt32LE(offset);
    if (value !== unset) return value;
    if (field === undefined || at + 8 > field.length) return Number.NaN;
    at += 8;
    return Number(field.readBigUInt64LE(at - 8));
  };
  const [size, compressedSize, offset] = [read(24), read(20), read(42)];
  return [size, compressedSize, offset].every(Number.isSafeInteger) ? { size, compressedSize, offset } : undefined;
}

interface DirectoryPlace {
  readonly count: number;
  readonly size: number;
  readonly offset: number;
}

async function findDirectory(file: FileHandle): Promise<DirectoryPlace | undefined> {
  const { size } = await file.stat();
  const length = Math.min(size, endBytes + maxCommentBytes);
  const tail = await readAt(file, size - length, length);
  for (let at = tail.length - endBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== 0x06054b50) continue;
    const place = {
      count: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    const needs64 = place.count === 0xffff || place.size === unset || place.offset === unset;
    return needs64 ? await findDirectory64(file, size - length + at) : place;
  }
  return undefined;
}

/** @param end where the 32-bit end of the directory is: a locator of the other one is before it. */
async function findDirectory64(file: FileHandle, end: number): Promise<DirectoryPlace | undefined> {
  const locator = await readAt(file, end - 20, 20);
  if (locator.length < 20 || locator.readUInt32LE(0) !== 0x07064b50) return undefined;
  const record = await readAt(file, Number(locator.readBigUInt64LE(8)), 56);
  if (record.length < 56 || record.readUInt32LE(0) !== 0x06064b50) return undefined;
  const [count, size, offset] = [32, 40, 48].map((at) => Number(record.readBigUInt64LE(at))) as [
    number,
    number,
    number,
  ]; // three offsets, three numbers
  return [count, size, offset].every(Number.isSafeInteger) ? { count, size, offset } : undefined;
}

/** Bytes of the file, fewer where it ends. */
async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (position < 0 || !Number.isSafeInteger(position) || length <= 0) return Buffer.alloc(0);
  const wanted = Math.min(length, maxDirectoryBytes + 1);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, position);
  return buffer.subarray(0, bytesRead);
}
