import { status } from "@grpc/grpc-js";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { failedPrecondition, invalidArgument, ZorError } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { pack } from "../../../lib/kinds/resource.js";
import { parseHost, parseOnHost } from "../../../lib/names.js";
import type { OperationContext } from "../../../lib/operations.js";
import { checkRate, Pace } from "../../../lib/pace.js";
import type { Any } from "../../../proto/gen/google/protobuf/any.js";
import {
  BackupTransferServiceService as methods,
  type ReceiveBackupRequest,
} from "../../../proto/gen/zor/agent/v1/backup_transfer_service.js";
import type { Backup } from "../../../proto/gen/zor/v1/backup.js";
import {
  BackupServiceService as service,
  type CopyBackupRequest,
  type CopyBackupResponse,
} from "../../../proto/gen/zor/v1/backup_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { findLie } from "../../fleet/credible.js";
import type { HubParts } from "../../kit/hub-kind.js";
import type { OperationWork } from "../../kit/hub-operations.js";
import { mutate } from "../../kit/mutate.js";
import { ofHost } from "../../kit/of-host.js";
import { mib, sentWords } from "../../kit/sent-words.js";

/** A copy that was asked for. */
interface Asked {
  readonly name: string;
  readonly target: string;
  readonly bytesPerSecond: number;
  readonly caller: string;
}

/** Copies backups from host to host. A copy that the end of the hub cuts short is told as abandoned, and leaves nothing half done. */
export class BackupCopies implements OperationWork {
  readonly #parts: HubParts;
  /** By the name of the operation. */
  readonly #asked = new Map<string, Asked>();

  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  /** Begins a copy. @throws {ZorError} and then nothing has begun. */
  async copy(request: CopyBackupRequest, context: CallContext): Promise<CopyBackupResponse> {
    const { store, requests, operations, fleet } = this.#parts;
    const { name: from, target } = request;
    const source = parseOnHost("name", from, "backups");
    const to = parseHost("target", target);
    if (source.host === to) throw invalidArgument("target", `${target} is where the backup is`);
    const bytesPerSecond = checkRate(request.bytesPerSecond);
    fleet.agent(source.host);
    fleet.agent(to);
    const chain = this.#chainOf(from);
    const verb = "backup.copy";
    return mutate({ store, requests, method: service.copyBackup, request, context }, async (commit) => {
      if (request.validateOnly || chain.length === 0) return { operation: checkedOperation(verb, from) };
      const caller = context.caller.identity;
      const planned = { verb, target: from, requestId: request.requestId, caller };
      let name = "";
      return operations.begin(
        planned,
        (changes, operation) => {
          ({ name } = operation);
          return commit(changes, { operation });
        },
        () => this.#asked.set(name, { name: from, target, bytesPerSecond, caller }),
      );
    });
  }

  isPending({ name }: Operation): boolean {
    return this.#asked.has(name);
  }

  isDone(): boolean {
    return false;
  }

  /** Copies what a backup builds on first, where it is not there yet. */
  async run({ name }: Operation, { signal, progress }: OperationContext): Promise<Any | undefined> {
    const asked = this.#asked.get(name);
    if (asked === undefined) return undefined;
    try {
      const chain = this.#chainOf(asked.name);
      const wholeBytes = chain.reduce((sum, { status: seen }) => sum + Number(seen?.sizeBytes ?? 0n), 0);
      let copied = 0;
      let made: Backup | undefined;
      for (const backup of chain) {
        const there = this.#thereOf(backup, asked.target);
        made =
          there ??
          (await this.#copyOne(backup, asked, {
            signal,
            tell: (bytes) => {
              const percent = Math.min(99, (100 * (copied + bytes)) / Math.max(1, wholeBytes));
              progress(sentWords(asked.target, { sent: copied + bytes, of: `about ${mib(wholeBytes)}` }), percent);
            },
          }));
        copied += Number(backup.status?.sizeBytes ?? 0n);
      }
      return made === undefined ? undefined : pack({ kind: "backup", value: made });
    } finally {
      this.#asked.delete(name);
    }
  }

  async #copyOne(
    backup: Backup,
    { target, bytesPerSecond, caller }: Asked,
    { signal, tell }: { readonly signal: AbortSignal; readonly tell: (bytes: number) => void },
  ): Promise<Backup> {
    const from = parseOnHost("name", backup.name, "backups");
    const to = parseHost("targets", target);
    const [source, receiver] = [this.#parts.fleet.agent(from.host), this.#parts.fleet.agent(to)];
    const abort = new AbortController();
    const whole = AbortSignal.any([signal, source.signal, receiver.signal, abort.signal]);
    let failure: unknown;
    const parts = async function* (): AsyncIterable<ReceiveBackupRequest> {
      const pace = new Pace(bytesPerSecond);
      let bytes = 0;
      try {
        for await (const { part } of source.connection.stream(
          methods.readBackup,
          { backupId: from.id },
          { signal: whole },
        )) {
          yield { part, caller };
          const length = part?.part?.$case === "data" ? part.part.value.length : 0;
          bytes += length;
          tell(bytes);
          await pace.after(length, whole);
        }
      } catch (error) {
        // What the source fails with is the cause; the target only learns that nothing more comes.
        failure = error;
        abort.abort();
        throw error;
      }
    };
    try {
      for await (const { backup: made } of receiver.connection.bidi(methods.receiveBackup, parts(), {
        signal: whole,
      })) {
        if (made === undefined) continue;
        const lie = findLie(to, { kind: "backup", value: made });
        if (lie === undefined) return made;
        throw new ZorError({
          reason: "HOST_NOT_BELIEVED",
          code: status.DATA_LOSS,
          message: `${target}: the answer of its agent was refused (${lie})`,
          resource: target,
        });
      }
      throw failedPrecondition(
        "BACKUP_CUT",
        backup.name,
        `${target} ended the copy of ${backup.name} before it was whole`,
      );
    } catch (error) {
      throw ofHost(ofHost(failure ?? error, source, from.host), receiver, to);
    } finally {
      abort.abort();
    }
  }

  /** Those that are needed to restore one, the full one first, itself last. @throws {ZorError} NOT_FOUND and the like */
  #chainOf(name: string): readonly Backup[] {
    const { log } = this.#parts.inventory;
    const { host } = parseOnHost("name", name, "backups");
    const last = log.find("backup", name);
    const chain = (last?.status?.chain ?? []).map((id) => log.find("backup", `hosts/${host}/backups/${id}`));
    const whole = chain.filter((each) => each !== undefined && each.status?.sha256 !== "");
    if (last !== undefined && whole.length > 0 && whole.length === chain.length)
      return whole.filter((each) => each !== undefined);
    throw failedPrecondition("BACKUP_NOT_READY", name, `${name} is not there, or not whole; see: zor get backups`);
  }

  /** The same backup where it is to go. Disks of several instances may well hold the same; another one of that name is refused there. */
  #thereOf(backup: Backup, target: string): Backup | undefined {
    const { id } = parseOnHost("name", backup.name, "backups");
    const there = this.#parts.inventory.log.find("backup", `${target}/backups/${id}`);
    const isSame =
      there?.status?.sha256 === backup.status?.sha256 &&
      there?.spec?.instanceUid === backup.spec?.instanceUid &&
      there?.status?.backupTime?.getTime() === backup.status?.backupTime?.getTime();
    return isSame ? there : undefined;
  }
}
