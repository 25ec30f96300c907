import { createHash } from "node:crypto";
import { type FileHandle, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { failedPrecondition, type ZorError } from "../../../lib/errors.js";
import { writeFileAtomic } from "../../../lib/files.js";
import { type Backup, BackupState, type BackupStatus, type BackupVolume } from "../../../proto/gen/zor/v1/backup.js";
import type { BackupLayer } from "../../drivers/abilities/backups.js";
import { openExactly } from "../../host/open-exactly.js";
import type { Made } from "../../kit/made-resources.js";

const schema = z.object({
  /** Directory of its own. */
  directory: z.string(),
  whyFull: z.string(),
  consistent: z.boolean(),
  timeMs: z.number(),
  sizeBytes: z.number().min(0),
  /** SHA-256 of each file, by name. */
  files: z.record(z.string(), z.string()),
  /** The specification of the instance as JSON of the API. */
  instance: z.unknown(),
  /** Volumes that are part of it; none: it has none. */
  volumes: z
    .array(
      z
        .object({ disk: z.string(), volume: z.string(), uid: z.string(), sizeBytes: z.number().int().min(0) })
        .readonly(),
    )
    .readonly()
    .optional(),
});

/** What is known of a backup that was taken. */
export type Facts = z.output<typeof schema>;
export type MadeBackup = Made<Backup, Facts>;

/** Undefined for what are no facts. */
export function parseFacts(json: unknown): Facts | undefined {
  const parsed = schema.safeParse(json);
  return parsed.success ? parsed.data : undefined;
}

/** Those that are needed to restore one, the full one first. */
export function chainOf(made: MadeBackup, all: readonly MadeBackup[]): readonly MadeBackup[] {
  const byId = new Map(all.map((each) => [each.id, each]));
  const chain: MadeBackup[] = [];
  // A damaged file may close a circle.
  for (let at: MadeBackup | undefined = made; at !== undefined && !chain.includes(at); ) {
    chain.unshift(at);
    at = byId.get(at.resource.spec.incrementalOf);
  }
  return chain;
}

/** Volumes of a backup as the API has them. */
export function toVolumes(volumes: Facts["volumes"]): BackupVolume[] {
  return (volumes ?? []).map((each) => ({ ...each, sizeBytes: BigInt(each.sizeBytes) }));
}

/** What is observed of a backup among the others. */
export function toStatus(made: MadeBackup, all: readonly MadeBackup[]): BackupStatus {
  const { facts, isDoomed } = made;
  return {
    state: facts === undefined ? BackupState.BACKUP_STATE_CREATING : BackupState.BACKUP_STATE_READY,
    reason: isDoomed ? "it is being removed; if it stays, delete it again" : (facts?.whyFull ?? ""),
    sizeBytes: BigInt(facts?.sizeBytes ?? 0),
    chain: chainOf(made, all).map(({ id }) => id),
    sha256: facts === undefined ? "" : digestOfAll(facts.files),
    backupTime: facts === undefined ? undefined : new Date(facts.timeMs),
    consistent: facts?.consistent ?? false,
    volumes: toVolumes(facts?.volumes),
  };
}

/** Digests of the files in a directory, and the bytes that they take. Writes them down beside the files, for people. */
export async function sealFiles(
  directory: string,
  instance: unknown,
  signal: AbortSignal,
): Promise<Pick<Facts, "files" | "sizeBytes">> {
  const files: Record<string, string> = {};
  let sizeBytes = 0;
  for (const name of (await readdir(directory)).toSorted()) {
    await using file = await openExactly(join(directory, name));
    files[name] = await digestOf(file, signal);
    sizeBytes += (await file.stat()).blocks * 512;
  }
  await writeFileAtomic(join(directory, "manifest.json"), `${JSON.stringify({ files, instance }, undefined, 2)}\n`);
  return { files, sizeBytes };
}

/** The files of a backup, open, after they were found to be what was written. */
export interface VerifiedFiles extends AsyncDisposable {
  /** By name. Whatever the names mean by now, these are what was verified. */
  readonly files: BackupLayer;
  /** Looks that nobody has written to them since they were verified. @throws {ZorError} FAILED_PRECONDITION when somebody has. */
  assertUnchanged(): Promise<void>;
}

/**
 * Opens the files of a backup and looks that they are what was written. Others may write where backups lie: a link is not followed, a pipe
 * or device is not waited for, and nothing is opened by its name a second time.
 * @throws {ZorError} FAILED_PRECONDITION when one is not what was written.
 */
export async function holdFiles(name: string, facts: Facts, signal: AbortSignal): Promise<VerifiedFiles> {
  await using opened = new AsyncDisposableStack();
  const files = new Map<string, FileHandle>();
  const changedAt = new Map<string, bigint>();
  for (const [file, digest] of Object.entries(facts.files)) {
    const handle = await openExactly(join(facts.directory, file)).catch(() => undefined);
    if (handle !== undefined) opened.use(handle);
    // Taken before its content is read: what is written meanwhile is found afterwards.
    const timeNs = await changeTimeOf(handle);
    const found = await contentDigest(handle, signal);
    signal.throwIfAborted();
    if (handle === undefined || found === undefined) throw damaged(name, file, "is missing or cannot be read");
    if (found !== digest) throw damaged(name, file, "is not what was written");
    files.set(file, handle);
    if (timeNs !== undefined) changedAt.set(file, timeNs);
  }
  const stack = opened.move();
  return {
    files,
    assertUnchanged: async () => {
      for (const [file, handle] of files) {
        if ((await changeTimeOf(handle)) !== changedAt.get(file))
          throw damaged(name, file, "was changed or removed meanwhile");
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function damaged(name: string, file: string, how: string): ZorError {
  const remedy = "nothing can be restored from it; restore an earlier one, and delete this one";
  return failedPrecondition("BACKUP_DAMAGED", name, `${name}: its file ${file} ${how}, so ${remedy}`);
}

/** When the kernel has last seen a change of a file, which nobody can set; undefined where it cannot be told. */
async function changeTimeOf(file: FileHandle | undefined): Promise<bigint | undefined> {
  return (await file?.stat({ bigint: true }).catch(() => undefined))?.ctimeNs;
}

/** Undefined for what cannot be read. */
async function contentDigest(file: FileHandle | undefined, signal: AbortSignal): Promise<string | undefined> {
  return file === undefined ? undefined : await digestOf(file, signal).catch(() => undefined);
}

async function digestOf(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(file.createReadStream({ start: 0, highWaterMark: 1024 * 1024, autoClose: false }), hash, { signal });
  return hash.digest("hex");
}

function digestOfAll(files: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  for (const [name, digest] of Object.entries(files).toSorted()) hash.update(`${digest}  ${name}\n`);
  return hash.digest("hex");
}
