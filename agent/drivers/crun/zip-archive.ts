import { createReadStream } from "node:fs";
import { type FileHandle, chmod, lchown, lstat, mkdir, open, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { invalidArgument, resourceExhausted, ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ArchiveSubject } from "./tar-archive.js";
import { readZipDirectory, type ZipMember } from "./zip-directory.js";

const localHeaderBytes = 30;
const maxLinkBytes = 4096;
const executable = 0o755;

/**
 * Extracts a zip archive into an empty directory, with the permissions, links and owners that its members say (APPNOTE.TXT; "Unix"
 * fields of Info-ZIP). Nothing is written through a link, and no more than the archive's own directory says.
 * @throws {ZorError} INVALID_ARGUMENT when it is damaged, or holds what no root filesystem does; RESOURCE_EXHAUSTED when it does not fit.
 */
export async function extractZip(file: FileHandle, directory: string, subject: ArchiveSubject): Promise<void> {
  const { field, what, signal } = subject;
  const members = await readZipDirectory(file, subject);
  const bytes = members.reduce((sum, { size }) => sum + size, 0);
  const spare = await subject.spareBytes();
  if (bytes > spare) {
    throw resourceExhausted("DISK_FULL", `${what} needs ${bytes} bytes and the host's disk has ${spare} to give`);
  }
  const later: (() => Promise<void>)[] = [];
  for (const member of members) {
    signal.throwIfAborted();
    // Everything in /dev is made by the runtime.
    if (/^(\.\/)*dev\/./.test(member.name)) continue;
    try {
      await extractMember(file, member, { directory, signal, later });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ZorError || isHostFailure(error)) throw error;
      throw invalidArgument(field, `${what} cannot be extracted: ${quote(member.name)}: ${wordsOf(error)}`);
    }
  }
  // A directory that nobody may write to takes its files first.
  for (const work of later.reverse()) await work();
}

interface Target {
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly later: (() => Promise<void>)[];
}

async function extractMember(file: FileHandle, member: ZipMember, target: Target): Promise<void> {
  const names = member.name.split("/").filter((name) => name !== "" && name !== ".");
  if (names.length === 0) return;
  const path = join(target.directory, ...names);
  await makeParents(target.directory, names.slice(0, -1));
  const own = async () => {
    if (member.owner !== undefined) await lchown(path, member.owner.uid, member.owner.gid);
  };
  if (member.type === "directory") {
    const found = await lstat(path).catch(() => undefined);
    if (found !== undefined && !found.isDirectory()) throw new Error("it is something else in another place");
    if (found === undefined) await mkdir(path, { mode: 0o700 });
    target.later.push(async () => {
      await own();
      await chmod(path, member.mode ?? executable);
    });
    return;
  }
  // The last of several of one name counts, as with tar.
  if ((await lstat(path).catch(() => undefined))?.isDirectory() === true) throw new Error("it is a directory as well");
  await rm(path, { force: true });
  if (member.type === "link") {
    if (member.size > maxLinkBytes) throw new Error("a link this long");
    const chunks: Buffer[] = [];
    await copyMember(
      file,
      member,
      async function* (data) {
        for await (const chunk of data) chunks.push(chunk as Buffer);
      },
      target.signal,
    );
    await symlink(Buffer.concat(chunks).toString("utf8"), path);
    await own();
    return;
  }
  await using output = await open(path, "wx", 0o600);
  await copyMember(
    file,
    member,
    async function* (data) {
      for await (const chunk of data) await output.write(chunk as Buffer);
    },
    target.signal,
  );
  await own();
  // After the owner: a change of that takes the bits for other users' rights away.
  await output.chmod(member.mode ?? 0o644);
}

/** Directories that the archive does not name itself; a link among them would lead elsewhere. */
async function makeParents(root: string, names: readonly string[]): Promise<void> {
  let path = root;
  for (const name of names) {
    path = join(path, name);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) await mkdir(path, { mode: 0o755 });
    else if (!found.isDirectory()) throw new Error(`${quote(name)} in its path is no directory`);
  }
}

/** Gives a member's content, which is exactly as long as the archive's directory says. */
async function copyMember(
  file: FileHandle,
  member: ZipMember,
  take: (data: AsyncIterable<unknown>) => AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const header = Buffer.alloc(localHeaderBytes);
  const { bytesRead } = await file.read(header, 0, header.length, member.offset);
  if (bytesRead < header.length || header.readUInt32LE(0) !== 0x04034b50)
    throw new Error("it is not where it should be");
  const begin = member.offset + localHeaderBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  let size = 0;
  const counted = async function* (data: AsyncIterable<unknown>) {
    for await (const chunk of data) {
      size += (chunk as Buffer).length;
      if (size > member.size) throw new Error("there is more of it than the archive says");
      yield chunk;
    }
  };
  if (member.compressedSize > 0) {
    const path = `/proc/${process.pid}/fd/${file.fd}`;
    const input = createReadStream(path, { start: begin, end: begin + member.compressedSize - 1 });
    const inflate = member.method === "deflate" ? [createInflateRaw()] : [];
    await pipeline([input, ...inflate, counted, take], { signal });
  }
  if (size !== member.size) throw new Error("there is less of it than the archive says");
}

/** What fails for the host's sake is no fault of the archive. */
function isHostFailure(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENOMEM"].includes(code);
}

function wordsOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENAMETOOLONG") return "File name too long";
  if (typeof code === "string" && (code.startsWith("Z_") || code.startsWith("ERR_"))) return "its data are damaged";
  if (typeof code === "string") return code;
  return error instanceof Error ? error.message : "unknown";
}
