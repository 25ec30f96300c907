import { randomUUID } from "node:crypto";
import { mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { alreadyExists, failedPrecondition, type FieldViolation, invalidFields } from "../../../lib/errors.js";
import { pack } from "../../../lib/kinds/resource.js";
import { isId, parseId, quote, type ResourceId } from "../../../lib/names.js";
import { Backup, BackupSpec } from "../../../proto/gen/zor/v1/backup.js";
import type { RestoreBackupRequest } from "../../../proto/gen/zor/v1/backup_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { BackedUp } from "../../drivers/abilities/backups.js";
import { findDriver } from "../../drivers/find-driver.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";
import { asFailure } from "../../kit/failure.js";
import type { Change } from "../../kit/kind.js";
import { MadeResources } from "../../kit/made-resources.js";
import { checkMetadata } from "../../kit/metadata.js";
import type { ResourceSource } from "../../kit/references.js";
import type { AskedChange, StandardVerbs } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import type { Taker } from "../../schedules/taker.js";
import { chainOf, type Facts, type MadeBackup, parseFacts, sealFiles, toStatus, verifyFiles } from "./backup-files.js";

const maxDescription = 1024;
const maxBytesPerSecond = 2n ** 40n;

/** The backups of this host's instances. */
export class Backups implements StandardVerbs<Backup> {
  readonly #context: AgentContext;
  readonly #made: MadeResources<Backup, Facts>;

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
  }

  get source(): ResourceSource {
    return this.#made;
  }

  readonly get = (id: string): Backup => this.#made.shown(id);
  readonly list = (): readonly Backup[] => this.#made.list();
  readonly update: StandardVerbs<Backup>["update"] = (id, asked, change) => this.#made.update(id, asked, change);

  /** Takes up what is on disk; undoes or finishes what was cut short. */
  async restoreAll(): Promise<void> {
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

  /** Makes an instance of a backup. @throws {ZorError} */
  async restore(request: RestoreBackupRequest, caller: string): Promise<Operation> {
    const { scope, instances, operations, references, signal: ending, parts } = this.#context;
    const made = this.#made.get(scope.parse("backup", "name", request.name));
    const { facts, resource } = made;
    if (facts === undefined || made.isDoomed) throw notWhole(resource.name);
    const bytesPerSecond = checkRate(request.bytesPerSecond);
    const id = parseId("instance_id", request.instanceId === "" ? resource.spec.instance : request.instanceId);
    const access = instances.get();
    const { spec, labels, annotations } = Instance.fromJSON(facts.instance);
    if (spec === undefined) throw notWhole(resource.name);
    const isThere = access.list().some(({ uid }) => uid === resource.spec.instanceUid);
    // The same MAC address twice would be a fault that is hard to find.
    const nics = isThere ? spec.nics.map((nic) => ({ ...nic, mac: "" })) : spec.nics;
    const schedules = isThere ? [] : spec.schedules;
    const wanted = { id, labels, annotations, spec: { ...spec, nics, schedules } };
    const ability = findDriver(parts.drivers, spec)?.can.backup;
    if (ability === undefined) throw notWhole(resource.name);
    await access.checkNew(wanted, { caller, signal: ending });
    const verb = "backup.restore";
    const target = references.nameOf("instance", id);
    if (request.validateOnly) return checkedOperation(verb, target);
    return operations.start({
      ...{ verb, target, requestId: request.requestId, caller },
      work: async ({ signal, progress }) => {
        const chain = chainOf(made, this.#made.group(resource.spec.instanceUid));
        progress("verifying the backup", 2);
        for (const each of chain) {
          if (each.facts === undefined) throw notWhole(each.resource.name);
          await verifyFiles(each.resource.name, each.facts, signal);
        }
        const directories = chain.map((each) => each.facts?.directory ?? "");
        const value = await access.make(wanted, {
          ...{ caller, signal, progress, leaveStopped: request.leaveStopped },
          fill: (instance) => ability.restoreBackup(instance, directories, { signal, progress, bytesPerSecond }),
        });
        return pack({ kind: "instance", value });
      },
    });
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
    const { consistent, whyFull } = await ability.takeBackup(subject.instance, subject.handle, wanted, options);
    options.progress("computing digests", 96);
    const instance = Instance.toJSON({ ...subject.resource, status: undefined });
    const sealed = await sealFiles(directory, instance, options.signal);
    const none = resource.spec.incremental && base === undefined ? "there is none that it could build on" : whyFull;
    if (whyFull !== "") await this.#made.setSpec(id, { ...resource.spec, incrementalOf: "" });
    await this.#made.complete(id, { directory, whyFull: none, consistent, timeMs, instance, ...sealed }, caller);
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
    if (spec.bytesPerSecond < 0n || spec.bytesPerSecond > maxBytesPerSecond) {
      violations.push({
        field: "backup.spec.bytes_per_second",
        description: `is not between 0 and ${maxBytesPerSecond}`,
      });
    }
    refuse(violations, name);
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

function withAbility(subject: InstanceSubject): { readonly subject: InstanceSubject; readonly ability: BackedUp } {
  const ability = subject.driver.can.backup;
  if (ability !== undefined) return { subject, ability };
  const { name } = subject.resource;
  const { kind } = subject.driver;
  throw failedPrecondition(
    "UNSUPPORTED",
    name,
    `${name} is of kind ${kind}, which cannot be backed up; save it as an image`,
  );
}

function checkDescription({ description }: BackupSpec): FieldViolation[] {
  const field = "backup.spec.description";
  if (description.length > maxDescription) {
    return [{ field, description: `has ${description.length} characters, more than ${maxDescription}` }];
  }
  return /^[^\p{Cc}]*$/u.test(description) ? [] : [{ field, description: "has control characters" }];
}

function checkRate(bytesPerSecond: bigint): number {
  if (bytesPerSecond >= 0n && bytesPerSecond <= maxBytesPerSecond) return Number(bytesPerSecond);
  throw invalidFields([{ field: "bytes_per_second", description: `is not between 0 and ${maxBytesPerSecond}` }]);
}

function refuse(violations: readonly FieldViolation[], name: string): void {
  if (violations.length > 0) throw invalidFields(violations, name);
}

function notWhole(name: string): Error {
  return failedPrecondition(
    "BACKUP_NOT_READY",
    name,
    `${name} is being taken or deleted, or is not whole; look at it with: zor describe`,
  );
}
