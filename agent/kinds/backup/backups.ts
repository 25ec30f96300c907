import { randomUUID } from "node:crypto";
import { mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { alreadyExists, failedPrecondition } from "../../../lib/errors.js";
import { pack } from "../../../lib/kinds/resource.js";
import { isId, quote, type ResourceId } from "../../../lib/names.js";
import { checkRate } from "../../../lib/pace.js";
import { Backup, BackupSpec } from "../../../proto/gen/zor/v1/backup.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { DiskQuota } from "../../drivers/disk-quota.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";
import { imageRoom } from "../../images/image-room.js";
import { asFailure } from "../../kit/failure.js";
import type { Change, Whole } from "../../kit/kind.js";
import { MadeResources } from "../../kit/made-resources.js";
import { checkMetadata } from "../../kit/metadata.js";
import type { ResourceSource } from "../../kit/references.js";
import type { AskedChange, StandardVerbs } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import type { Taker } from "../../schedules/taker.js";
import { checkDescription, notWhole, refuse, withAbility } from "./backup-check.js";
import { type Facts, holdFiles, type MadeBackup, parseFacts, sealFiles, toStatus } from "./backup-files.js";
import { BackupRestores } from "./restores.js";

/** A backup of another host. */
export interface ReceivedBackup {
  readonly id: string;
  readonly backup: Whole<Backup>;
  readonly facts: Omit<Facts, "directory" | "sizeBytes">;
  /** Of its files, as it was told. */
  readonly sizeBytes: number;
}

interface ReceiveOptions {
  readonly caller: string;
  readonly signal: AbortSignal;
  /** Writes its files into an empty directory, durably, until the signal aborts. */
  readonly write: (directory: string, signal: AbortSignal) => Promise<void>;
}

/** The backups of this host's instances. */
export class Backups implements StandardVerbs<Backup> {
  readonly #context: AgentContext;
  readonly #made: MadeResources<Backup, Facts>;
  readonly restores: BackupRestores;

  constructor(context: AgentContext) {
    this.#context = context;
    this.#made = new MadeResources<Backup, Facts>(
      {
        kind: "backup",
        changeable: ["labels", "annotations", "spec.description"],
        parseFacts,
        groupOf: ({ instanceUid }) => instanceUid,
        toStatus,
        uses: ({ resource }) =>
          resource.spec.incrementalOf === ""
            ? []
            : [{ kind: "backup", id: resource.spec.incrementalOf, from: resource.name }],
        checkUpdate: ({ name, spec }) => refuse(checkDescription(spec), name),
      },
      context,
    );
    this.restores = new BackupRestores(context, this.#made);
  }

  get source(): ResourceSource {
    return this.#made;
  }

  readonly get = (id: string): Backup => this.#made.shown(id);
  readonly list = (): readonly Backup[] => this.#made.list();
  readonly update: StandardVerbs<Backup>["update"] = (id, asked, change) => this.#made.update(id, asked, change);

  /** Takes up what is on disk; undoes or finishes what was cut short. */
  async restoreAll(): Promise<void> {
    await this.restores.settleAll();
    for (const { id, resource, isDoomed } of await this.#made.load()) {
      try {
        await this.#remove(id, resource.spec.target);
        const message = isDoomed
          ? "its deletion was cut short by a restart"
          : "it was being taken when the agent was restarted";
        this.#made.report(isDoomed ? "deleted" : "undone", id, message);
      } catch (error) {
        this.#context.logError(error, `what a restart cut short at ${resource.name} could not be removed`);
      }
    }
    this.#made.publish();
  }

  readonly create = async (id: ResourceId, wanted: Backup, change: AskedChange): Promise<Operation> =>
    await this.#begin(id, wanted, { ...change, schedule: "" });

  /** What schedules have taken by themselves. */
  get taker(): Taker {
    return {
      nameOf: (id) => this.#made.nameOf(id),
      take: async ({ id, instance, schedule: { name, target }, isFull }) => {
        const spec = { instance, description: `by schedule ${name}`, incremental: !isFull, target };
        const how = { requestId: "", validateOnly: false, caller: "", schedule: name };
        return await this.#begin(id, Backup.fromPartial({ spec }), how);
      },
      taken: (uid, name) =>
        this.#made.group(uid).flatMap(({ id, resource: { spec }, facts, isDoomed }) => {
          if (facts === undefined || isDoomed || spec.schedule !== name) return [];
          return [{ id, timeMs: facts.timeMs, base: spec.incrementalOf }];
        }),
      remove: async (id, reason) => {
        // One that somebody took may build on it.
        if (this.#context.references.usersOf("backup", id).length === 0) await this.#delete(id, "", reason);
      },
    };
  }

  async #begin(
    id: string,
    wanted: Backup,
    change: Change & { readonly requestId: string; readonly schedule: string },
  ): Promise<Operation> {
    const name = this.#made.nameOf(id);
    const { requestId, validateOnly, caller } = change;
    const { operations, instances, references } = this.#context;
    const spec = await this.#checked(wanted, name);
    if (this.#made.isTaken(id)) throw alreadyExists(name);
    const access = instances.get();
    access.assertUnclaimed(spec.instance);
    const { subject, ability } = withAbility(access.look(spec.instance));
    await ability.checkBackup(subject.instance);
    const base = spec.incremental ? this.#newest(subject.resource.uid, spec.target) : undefined;
    const whole = {
      ...spec,
      schedule: change.schedule,
      incrementalOf: base?.id ?? "",
      instanceUid: subject.resource.uid,
    };
    const planned = this.#made.plan(id, wanted, whole, caller);
    const verb = "backup.create";
    if (validateOnly) {
      const value = { ...planned.stored.resource, status: undefined };
      return checkedOperation(verb, name, pack({ kind: "backup", value }));
    }
    await this.#made.reserve(planned);
    await this.#makeDirectory(id, spec.target);
    const operation = references.nameOf("operation", randomUUID());
    try {
      return operations.start({
        ...{ verb, target: name, requestId, caller, id: operation.split("/").at(-1) ?? "" },
        work: async ({ signal, progress }) => {
          try {
            await access.claim(spec.instance, { what: "backed up", operation }, async (claimed) => {
              const options = { signal, progress, bytesPerSecond: Number(spec.bytesPerSecond) };
              await this.#take(id, { subject: claimed.subject(), base, caller }, options);
            });
          } catch (error) {
            await this.#undo(id, spec.target);
            throw asFailure(error, name, "take");
          }
          return pack({ kind: "backup", value: this.#made.shown(id) });
        },
      });
    } catch (error) {
      await this.#undo(id, spec.target);
      throw error;
    }
  }

  /** A backup that is whole, as another host may have it. @throws {ZorError} */
  whole(id: string): { readonly backup: Backup; readonly facts: Facts } {
    const { facts, resource, isDoomed } = this.#made.get(id);
    if (facts === undefined || isDoomed) throw notWhole(resource.name);
    return { backup: this.#made.shown(id), facts };
  }

  /** Takes a backup of another host. On error or abort nothing of it is left. @throws {ZorError} */
  async receive({ id, backup, facts, sizeBytes }: ReceivedBackup, how: ReceiveOptions): Promise<Backup> {
    const { caller, signal, write } = how;
    const name = this.#made.nameOf(id);
    const wanted = { ...backup.spec, target: "", bytesPerSecond: 0n };
    const { target } = await this.#checked({ ...backup, spec: wanted }, name);
    if (this.#made.isTaken(id)) throw alreadyExists(name);
    const base = wanted.incrementalOf;
    const below = this.#made.has(base) ? this.#made.get(base).resource.spec : undefined;
    if (base !== "" && (below?.target !== target || below.instanceUid !== wanted.instanceUid)) {
      throw failedPrecondition(
        "BACKUP_BASE_MISSING",
        name,
        `${name} builds on ${base}, which is not here; copy that first`,
      );
    }
    const room = imageRoom(new DiskQuota({ directory: target, limits: this.#context.settings.disk }));
    await room.assertFits(sizeBytes, name);
    // No schedule of this host: it deletes nothing that it has not taken.
    const spec = { ...wanted, target, schedule: "" };
    await this.#made.reserve(this.#made.plan(id, backup, spec, caller));
    await this.#makeDirectory(id, target);
    const directory = this.#directoryOf(id, target);
    try {
      const whole = await room.guard(name, signal, async (writing) => {
        await write(directory, writing);
        writing.throwIfAborted();
        const sealed = await sealFiles(directory, facts.instance, writing);
        const received = { ...facts, directory, sizeBytes: sealed.sizeBytes };
        await using _verified = await holdFiles(name, received, writing);
        return received;
      });
      await this.#made.complete(id, whole, caller);
    } catch (error) {
      await this.#undo(id, target);
      throw asFailure(error, name, "receive");
    }
    return this.#made.shown(id);
  }

  readonly delete = async (id: string, { validateOnly, caller }: Change): Promise<void> => {
    const { resource, facts, isDoomed } = this.#made.get(id);
    const { name } = resource;
    if (facts === undefined && !isDoomed) throw notWhole(name);
    const users = this.#context.references.usersOf("backup", id);
    if (users.length > 0) {
      throw failedPrecondition(
        "BACKUP_IN_USE",
        name,
        `${name} is needed by ${users[0] ?? ""}, which builds on it; delete that first`,
      );
    }
    if (!validateOnly) await this.#delete(id, caller);
  };

  async #delete(id: string, caller: string, reason = ""): Promise<void> {
    const { target } = this.#made.get(id).resource.spec;
    await this.#made.doom(id);
    await this.#remove(id, target);
    this.#made.announce("deleted", id, caller, reason);
  }

  async #take(
    id: string,
    {
      subject,
      base,
      caller,
    }: { readonly subject: InstanceSubject; readonly base: MadeBackup | undefined; readonly caller: string },
    options: {
      readonly signal: AbortSignal;
      readonly progress: (step: string, percent: number) => void;
      readonly bytesPerSecond: number;
    },
  ): Promise<void> {
    const { ability } = withAbility(subject);
    const { resource } = this.#made.get(id);
    const directory = this.#directoryOf(id, resource.spec.target);
    const below = base === undefined ? undefined : { tag: base.resource.uid, directoryName: base.id };
    const wanted = { tag: resource.uid, directory, base: below };
    const timeMs = this.#context.now().getTime();
    const taken = await ability.takeBackup(subject.instance, subject.handle, wanted, options);
    const { consistent, whyFull, volumes = [] } = taken;
    options.progress("computing digests", 96);
    const instance = Instance.toJSON({ ...subject.resource, status: undefined });
    const sealed = await sealFiles(directory, instance, options.signal);
    const none = resource.spec.incremental && base === undefined ? "there is none that it could build on" : whyFull;
    if (whyFull !== "") await this.#made.setSpec(id, { ...resource.spec, incrementalOf: "" });
    const facts = { directory, whyFull: none, consistent, timeMs, instance, volumes, ...sealed };
    await this.#made.complete(id, facts, caller);
    if (none !== "") this.#made.report("full", id, `a full one was taken: ${none}`);
  }

  /** What cannot be removed now can be deleted later, and goes with the next start of the agent. */
  async #undo(id: string, target: string): Promise<void> {
    try {
      await this.#made.doom(id);
      await this.#remove(id, target);
    } catch (error) {
      this.#made.report("undone", id, "it failed, and what was written of it could not be removed; delete it");
      this.#context.logError(error, `what was written of ${this.#made.nameOf(id)} could not be removed`);
    }
  }

  async #remove(id: string, target: string): Promise<void> {
    await rm(this.#directoryOf(id, target), { recursive: true, force: true });
    await this.#made.forget(id);
  }

  /** Makes the directory of one that is reserved: of what lies there already nothing is known. @throws {ZorError} */
  async #makeDirectory(id: string, target: string): Promise<void> {
    const name = this.#made.nameOf(id);
    try {
      await mkdir(join(target, this.#context.host), { recursive: true, mode: 0o700 });
      await mkdir(this.#directoryOf(id, target), { mode: 0o700 });
    } catch (error) {
      await this.#made.forget(id);
      const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
      if (!isThere) throw asFailure(error, name, "take");
      const message = `${name}: the backup directory holds something of that name that this agent knows nothing of; choose another name, or move that away on the host`;
      throw failedPrecondition("BACKUP_DIRECTORY_TAKEN", name, message);
    }
  }

  #directoryOf(id: string, target: string): string {
    return join(target, this.#context.host, id);
  }

  #newest(instanceUid: string, target: string): MadeBackup | undefined {
    return this.#made
      .group(instanceUid)
      .filter(({ resource: { spec }, facts, isDoomed }) => {
        return facts !== undefined && !isDoomed && spec.target === target;
      })
      .reduce<MadeBackup | undefined>(
        (newest, each) => ((newest?.facts?.timeMs ?? 0) < (each.facts?.timeMs ?? 0) ? each : newest),
        undefined,
      );
  }

  async #checked(wanted: Backup, name: string): Promise<BackupSpec> {
    const spec = wanted.spec ?? BackupSpec.create();
    const { backupDirs } = this.#context.settings;
    const [first = ""] = backupDirs;
    const violations = [...checkMetadata("backup", wanted), ...checkDescription(spec)];
    if (!isId(spec.instance)) {
      violations.push({ field: "backup.spec.instance", description: "must be the id of an instance of this host" });
    }
    refuse(violations, name);
    checkRate(spec.bytesPerSecond, "backup.spec.bytes_per_second");
    if (first === "") {
      throw failedPrecondition(
        "NO_BACKUP_DIRECTORY",
        name,
        `${name}: this host takes no backups; name directories for them in the agent's setting backupDirs`,
      );
    }
    const target = spec.target === "" ? first : spec.target;
    if (!backupDirs.includes(target)) {
      const description = `${quote(target)} is not one of the directories in the agent's setting backupDirs`;
      refuse([{ field: "backup.spec.target", description }], name);
    }
    const real = await realpath(target).catch(() => undefined);
    if (real === undefined) {
      throw failedPrecondition(
        "NO_BACKUP_DIRECTORY",
        name,
        `${name}: the backup directory is not there; make or mount it on the host`,
      );
    }
    return { ...spec, target };
  }
}
