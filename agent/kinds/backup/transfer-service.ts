import type { FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { parseId } from "../../../lib/names.js";
import type {
  BackupPart,
  BackupTransferServiceService,
  ReadBackupResponse,
  ReceiveBackupRequest,
} from "../../../proto/gen/zor/agent/v1/backup_transfer_service.js";
import type { Backup } from "../../../proto/gen/zor/v1/backup.js";
import { openExactly } from "../../host/open-exactly.js";
import type { Facts } from "./backup-files.js";
import type { Backups } from "./backups.js";
import { bytesOf, readBegin, writeFiles } from "./received-parts.js";

const partBytes = 256 * 1024;

/** Gives and takes backups; a hub asks. */
export function transferService(backups: Backups): Handlers<typeof BackupTransferServiceService> {
  return {
    readBackup: ({ backupId }, { signal }) => readBackup(backups, parseId("backup_id", backupId), signal),
    receiveBackup: async function* (requests, context) {
      yield { backup: await receiveBackup(backups, requests, context) };
    },
  };
}

async function* readBackup(backups: Backups, id: string, signal: AbortSignal): AsyncIterable<ReadBackupResponse> {
  const { backup, facts } = backups.whole(id);
  for await (const part of readParts(backup, facts, signal)) yield { part };
}

/** A backup as another host takes it: what is known of it, then its files one after the other. @throws {ZorError} */
export async function* readParts(
  backup: Backup,
  facts: Pick<Facts, "directory" | "files" | "instance">,
  signal: AbortSignal,
): AsyncIterable<BackupPart> {
  await using opened = new AsyncDisposableStack();
  const handles: FileHandle[] = [];
  const files = [];
  for (const name of Object.keys(facts.files).toSorted()) {
    const file = opened.use(await openFile(join(facts.directory, name), backup.name));
    handles.push(file);
    const { size } = await file.stat();
    files.push({ name, sizeBytes: BigInt(size), sha256: Buffer.from(facts.files[name] ?? "", "hex") });
  }
  const instanceJson = JSON.stringify(facts.instance);
  yield { part: { $case: "begin", value: { backup, instanceJson, files } } };
  for (const file of handles) {
    for (let at = 0; ; ) {
      signal.throwIfAborted();
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(partBytes), 0, partBytes, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      yield { part: { $case: "data", value: buffer.subarray(0, bytesRead) } };
    }
  }
}

/** Others may write where backups lie: what is read is the file itself, and nothing that a link leads to. @throws {ZorError} */
async function openFile(path: string, name: string): Promise<FileHandle> {
  const file = await openExactly(path).catch(() => undefined);
  if ((await file?.stat())?.isFile() === true && file !== undefined) return file;
  await file?.close();
  const message = `${name}: its file ${basename(path)} is missing or cannot be read, so it is not copied; copy an earlier one, and delete this one`;
  throw failedPrecondition("BACKUP_DAMAGED", name, message);
}

/** Takes a backup. What another host says is not believed: names, sizes, digests and headers are looked at. */
async function receiveBackup(
  backups: Backups,
  requests: AsyncIterable<ReceiveBackupRequest>,
  { signal }: CallContext,
): ReturnType<Backups["receive"]> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const part = first.done === true ? undefined : first.value.part?.part;
  if (first.done === true || part?.$case !== "begin") throw invalidArgument("begin", "must be the first message");
  const begin = readBegin(part.value);
  const next = async (): Promise<Buffer> => {
    const step = await iterator.next();
    return bytesOf(step.done === true ? undefined : step.value.part, begin.name);
  };
  return await backups.receive(begin.received, {
    caller: first.value.caller,
    signal,
    write: (directory, whole) => writeFiles(directory, begin, next, whole),
  });
}
