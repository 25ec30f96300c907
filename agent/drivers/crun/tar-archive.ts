import type { FileHandle } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { invalidArgument, resourceExhausted } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { run, ToolError } from "../../host/exec.js";
import { streamTool } from "../../host/stream-tool.js";
import { type ArchiveFormat, archiveStartBytes, findArchiveFormat } from "./archive-format.js";
import { TarListing, type TarSummary } from "./tar-listing.js";

/** An archive that was looked at, by the open file it is in. */
export interface TarArchive {
  readonly file: FileHandle;
  readonly summary: TarSummary;
  /** Arguments that tell tar which archive it is. */
  readonly arguments: readonly string[];
}

/** Who an archive belongs to, for errors. */
export interface ArchiveSubject {
  /** Proto path of the request field. */
  readonly field: string;
  /** What people know it by: "the archive", "layer 2 of the image". */
  readonly what: string;
  /** Bytes that may be written. */
  readonly spareBytes: () => Promise<number>;
  readonly signal: AbortSignal;
}

/** Reading and extracting may take minutes. */
const timeoutMs = 600_000;

/**
 * Recognises an archive and its compression by its first bytes.
 * @throws {ZorError} INVALID_ARGUMENT when it is none.
 */
export async function readArchiveFormat(
  file: FileHandle,
  { field, what }: Pick<ArchiveSubject, "field" | "what">,
): Promise<ArchiveFormat> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(archiveStartBytes), 0, archiveStartBytes, 0);
  const format = findArchiveFormat(buffer.subarray(0, bytesRead));
  if ("instead" in format) throw invalidArgument(field, `${what} ${format.instead}`);
  return format;
}

/** Lists an archive and checks what is in it. @throws {ZorError} INVALID_ARGUMENT when something is not as it should be. */
export async function openTar(file: FileHandle, subject: ArchiveSubject): Promise<TarArchive> {
  const { field, what, signal } = subject;
  const format = await readArchiveFormat(file, subject);
  if (format.kind !== "tar") throw invalidArgument(field, `${what} is a zip archive and should be a tar archive`);
  // The file that is open here, whatever its name means by now.
  const path = `/proc/${process.pid}/fd/${file.fd}`;
  const archive = [`--file=${path}`, ...(format.option === undefined ? [] : [format.option])];
  const listing = new TarListing(field, what);
  const decoder = new StringDecoder("utf8");
  const argv = ["--list", "--verbose", "--numeric-owner", "--quoting-style=escape", ...archive];
  await streamTool(["tar", ...argv], {
    signal: AbortSignal.any([signal, timeLimit(timeoutMs)]),
    take: (data) => listing.add(decoder.write(data)),
  }).catch((error: unknown) => {
    throw asRefusal(error, subject, "cannot be read; it may be damaged or cut short");
  });
  return { file, summary: listing.finish(), arguments: archive };
}

/**
 * Extracts a checked archive into an empty directory.
 * @throws {ZorError} INVALID_ARGUMENT when it contradicts itself; RESOURCE_EXHAUSTED when it does not fit.
 */
export async function extractTar(archive: TarArchive, directory: string, subject: ArchiveSubject): Promise<void> {
  const spare = await subject.spareBytes();
  if (archive.summary.bytes > spare) {
    throw resourceExhausted(
      "DISK_FULL",
      `${subject.what} needs ${archive.summary.bytes} bytes and the host's disk has ${spare} to give`,
    );
  }
  // Everything in /dev is made by the runtime.
  const exclude = ["--anchored", "--exclude=./dev/*", "--exclude=dev/*"];
  const keep = ["--numeric-owner", "--same-owner", "--same-permissions", "--delay-directory-restore"];
  const attributes = ["--acls", "--xattrs", "--xattrs-include=security.capability", "--xattrs-include=user.*"];
  const argv = ["--extract", ...archive.arguments, `--directory=${directory}`, ...exclude, ...keep, ...attributes];
  await run("tar", argv, { signal: subject.signal, timeoutMs }).catch((error: unknown) => {
    throw asRefusal(error, subject, "cannot be extracted");
  });
}

/** What tar says about an archive, in words for whoever named it; failures of the host stay as they are. */
function asRefusal(error: unknown, { field, what, signal }: ArchiveSubject, why: string): unknown {
  signal.throwIfAborted();
  if (!(error instanceof ToolError) || error.exitCode !== 2) return error;
  if (/No space left on device|Disk quota exceeded|Input\/output error|Read-only file system/.test(error.stderrTail))
    return error;
  const [, member, cause] =
    /^tar: (.{1,4096}?): (?:Cannot [^:\n]+: )?([A-Z][a-z ]{3,60})$/m.exec(error.stderrTail) ?? [];
  const isNamed = member !== undefined && cause !== undefined && !member.startsWith("/proc/");
  const detail = isNamed ? `: ${quote(member)}: ${cause}` : "";
  return invalidArgument(field, `${what} ${why}${detail}`);
}
