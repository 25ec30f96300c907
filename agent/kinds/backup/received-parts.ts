import { open } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { isId, parseId } from "../../../lib/names.js";
import type { BackupBegin, BackupPart } from "../../../proto/gen/zor/agent/v1/backup_transfer_service.js";
import type { BackupVolume } from "../../../proto/gen/zor/v1/backup.js";
import { parseQcow2Header, qcow2HeaderBytes } from "../../drivers/qemu/qcow2.js";
import { toldOf } from "../../host/told.js";
import { readAt } from "../../images/file-start.js";
import type { Facts } from "./backup-files.js";
import type { ReceivedBackup } from "./backups.js";

const mostPartBytes = 1024 * 1024;
const maxFiles = 64;
/** Of one file, in bytes: 16 TiB, the most that a file of ext4 has. */
const maxFileBytes = 2n ** 44n;
/** Why a full one was taken, for people. */
const maxReasonLength = 1024;

/** The bytes of the next part. @throws {ZorError} when none comes, or too many. */
export function bytesOf(part: BackupPart | undefined, name: string): Buffer {
  const data = part?.part;
  if (data?.$case !== "data") throw failedPrecondition("BACKUP_CUT", name, `${name} ended before all of it had come`);
  if (data.value.length > 0 && data.value.length <= mostPartBytes) return data.value;
  throw invalidArgument("data", `is not 1 to ${mostPartBytes} bytes`);
}

/** Writes the files of a backup into an empty directory, durably. What another host says is not believed: headers are looked at. @throws {ZorError} */
export async function writeFiles(
  directory: string,
  { files, name, received }: Begin,
  next: () => Promise<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  let rest = Buffer.alloc(0);
  for (const { name: file, sizeBytes } of files) {
    await using opened = await open(join(directory, file), "wx+", 0o600);
    for (let at = 0; at < Number(sizeBytes); ) {
      signal.throwIfAborted();
      if (rest.length === 0) rest = Buffer.from(await next());
      const now = rest.subarray(0, Number(sizeBytes) - at);
      rest = rest.subarray(now.length);
      await writeWhole(opened, now, at);
      at += now.length;
    }
    if (file.endsWith(".qcow2")) {
      const { incrementalOf } = received.backup.spec;
      assertHarmless(
        await readAt(opened, 0, qcow2HeaderBytes),
        name,
        incrementalOf === "" ? "" : `../${incrementalOf}/${file}`,
      );
    }
    await opened.sync();
  }
  if (rest.length > 0) throw invalidArgument("data", "is more than the files are long");
}

async function writeWhole(file: Awaited<ReturnType<typeof open>>, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/**
 * A disk that would have QEMU open other files than it is given.
 * @param below what it may stand over; "": nothing.
 * @throws {ZorError}
 */
function assertHarmless(start: Buffer, name: string, below: string): void {
  const { externalData, encrypted, backingFile = "" } = readHeader(start, name);
  if (!externalData && !encrypted && (backingFile === "" || backingFile === below)) return;
  throw failedPrecondition(
    "BACKUP_REFUSED",
    name,
    `${name} has a disk that refers to files elsewhere, and was refused`,
  );
}

function readHeader(start: Buffer, name: string): ReturnType<typeof parseQcow2Header> {
  try {
    return parseQcow2Header(start);
  } catch (error) {
    const message = `${name} has a file that is no qcow2 disk (${toldOf(error)})`;
    throw failedPrecondition("BACKUP_REFUSED", name, message);
  }
}

/** What comes, as far as it can be told before. */
export interface Begin {
  /** For errors. */
  readonly name: string;
  readonly files: BackupBegin["files"];
  readonly received: ReceivedBackup;
}

/** What is known of a backup that another host sends. @throws {ZorError} INVALID_ARGUMENT when that cannot be. */
export function readBegin({ backup, instanceJson, files }: BackupBegin): Begin {
  const name = backup?.name ?? "";
  const id = parseId("begin.backup.name", name.split("/").at(-1) ?? "");
  if (files.length === 0 || files.length > maxFiles) throw invalidArgument("begin.files", `are not 1 to ${maxFiles}`);
  const names = new Set<string>();
  for (const { name: file, sizeBytes, sha256 } of files) {
    const isGood = /^[A-Za-z0-9][\w.-]{0,62}\.(qcow2|tar)$/.test(file) && sha256.length === 32;
    if (!isGood || sizeBytes < 0n || sizeBytes > maxFileBytes || names.has(file))
      throw invalidArgument("begin.files", "have one that is none of a backup");
    names.add(file);
  }
  const { reason: whyFull = "" } = backup?.status ?? {};
  if (whyFull.length > maxReasonLength || /\p{Cc}/u.test(whyFull))
    throw invalidArgument("begin.backup.status.reason", "is too long, or has control characters");
  const timeMs = backup?.status?.backupTime?.getTime() ?? 0;
  if (!Number.isFinite(timeMs)) throw invalidArgument("begin.backup.status.backup_time", "is no time");
  const facts: Omit<Facts, "directory" | "sizeBytes"> = {
    whyFull,
    consistent: backup?.status?.consistent === true,
    timeMs,
    files: Object.fromEntries(files.map((file) => [file.name, file.sha256.toString("hex")])),
    instance: readObject(instanceJson),
    volumes: readVolumes(backup?.status?.volumes ?? [], names),
  };
  if (backup?.spec === undefined) throw invalidArgument("begin.backup.spec", "must be set");
  // Part of the path that a disk may stand over.
  const { incrementalOf } = backup.spec;
  if (incrementalOf !== "") parseId("begin.backup.spec.incremental_of", incrementalOf);
  const sizeBytes = files.reduce((sum, file) => sum + Number(file.sizeBytes), 0);
  return { name, files, received: { id, backup: { ...backup, spec: backup.spec }, facts, sizeBytes } };
}

/** The volumes that another host says are part of a backup. @throws {ZorError} when one is not. */
function readVolumes(volumes: readonly BackupVolume[], files: ReadonlySet<string>): Facts["volumes"] {
  if (volumes.length > maxFiles) throw invalidArgument("begin.backup.status.volumes", `are more than ${maxFiles}`);
  return volumes.map(({ disk, volume, uid, sizeBytes }) => {
    const isGood = /^disk\d{1,3}$/.test(disk) && isId(volume) && files.has(`volume-${uid}.qcow2`);
    if (isGood && sizeBytes > 0n && sizeBytes <= maxFileBytes)
      return { disk, volume, uid, sizeBytes: Number(sizeBytes) };
    throw invalidArgument("begin.backup.status.volumes", "have one that is none of a backup");
  });
}

function readObject(text: string): object {
  const value = parseJson(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw invalidArgument("begin.instance_json", "is no JSON object");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
