import type { FileHandle } from "node:fs/promises";
import { z } from "zod";
import { invalidArgument } from "../../../lib/errors.js";
import { run, ToolError } from "../../host/exec.js";

/** What an archive is to an engine. */
export interface ArchiveLook {
  /** "image": as `docker save` writes them, or an OCI layout. */
  readonly kind: "image" | "rootfs";
  /** Bytes of all members. */
  readonly bytes: number;
}

const timeoutMs = 600_000;
const maxMembers = 2_000_000;
const savedSchema = z.array(z.object({ RepoTags: z.array(z.string().max(512)).max(64).nullish() })).max(64);

/**
 * Lists an archive, whatever it is compressed with, before an engine is given it. Nothing is extracted here.
 * @throws {ZorError} INVALID_ARGUMENT when it is none that tar can read to its end.
 */
export async function lookAtArchive(file: FileHandle, field: string, signal: AbortSignal): Promise<ArchiveLook> {
  // The file that is open here, whatever its name means by now.
  const path = `/proc/${process.pid}/fd/${file.fd}`;
  const argv = ["--list", "--verbose", "--numeric-owner", "--quoting-style=escape", `--file=${path}`];
  const { stdout } = await run("tar", argv, { signal, timeoutMs }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (!(error instanceof ToolError) || error.exitCode !== 2) throw error;
    throw invalidArgument(field, "is not a tar archive that can be read to its end, plain or compressed");
  });
  return judge(stdout, field);
}

/** The names that an archive of `docker save` would give its images; none when it says nothing of them. */
export async function readSavedNames(file: FileHandle, signal: AbortSignal): Promise<readonly string[]> {
  const argv = [
    "--extract",
    "--to-stdout",
    "--occurrence=1",
    `--file=/proc/${process.pid}/fd/${file.fd}`,
    "manifest.json",
  ];
  const told = await run("tar", argv, { signal, timeoutMs, acceptedExitCodes: [0, 2] });
  if (told.exitCode !== 0) return [];
  try {
    return savedSchema.parse(JSON.parse(told.stdout)).flatMap(({ RepoTags: names }) => names ?? []);
  } catch {
    // Nothing that the engine will take either.
    return [];
  }
}

/** Judges a listing; pure. @throws {ZorError} INVALID_ARGUMENT */
export function judge(listing: string, field: string): ArchiveLook {
  const top = new Set<string>();
  let [members, bytes] = [0, 0];
  for (const line of listing.split("\n")) {
    // "-rw-r--r-- 0/0   1234 2024-01-01 00:00 ./name"; devices have "major,minor" for a size.
    const match = /^\S+ +\S+ +(\d+)(?:,\d+)? +\S+ +\S+ (?:\.\/)*([^/\s]*)/.exec(line);
    if (match === null) continue;
    members += 1;
    bytes += line.startsWith("-") ? Number(match[1]) : 0;
    if (top.size < 4096) top.add(match[2] ?? "");
  }
  if (members === 0) throw invalidArgument(field, "is an empty archive");
  if (members > maxMembers) throw invalidArgument(field, `holds more than ${maxMembers} files`);
  const isSaved = top.has("manifest.json") && !top.has("usr") && !top.has("bin");
  return { kind: top.has("oci-layout") || isSaved ? "image" : "rootfs", bytes };
}
