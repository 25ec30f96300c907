import { randomUUID } from "node:crypto";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { pack } from "../../../lib/kinds/resource.js";
import { parseId } from "../../../lib/names.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { checkRate } from "../../../lib/pace.js";
import type { Backup } from "../../../proto/gen/zor/v1/backup.js";
import type { RestoreBackupRequest } from "../../../proto/gen/zor/v1/backup_service.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { BackupLayer } from "../../drivers/abilities/backups.js";
import { findDriver } from "../../drivers/find-driver.js";
import { asFailure } from "../../kit/failure.js";
import type { MadeResources } from "../../kit/made-resources.js";
import type { AgentContext } from "../../parts.js";
import { assertHasVolumes } from "./backed-up-volumes.js";
import { notWhole, running, withAbility } from "./backup-check.js";
import { chainOf, type Facts, holdFiles, type MadeBackup, type VerifiedFiles } from "./backup-files.js";

/** A backup with those it builds on, the full one first. */
interface VerifiedChain extends Omit<VerifiedFiles, "files"> {
  readonly layers: readonly BackupLayer[];
}

/** What backups are made into: instances of their own, or the ones of which they were taken. */
export class BackupRestores {
  readonly #context: AgentContext;
  readonly #made: MadeResources<Backup, Facts>;

  constructor(context: AgentContext, made: MadeResources<Backup, Facts>) {
    this.#context = context;
    this.#made = made;
  }

  /** Undoes or finishes what the end of an agent cut short; that is told. */
  async settleAll(): Promise<void> {
    const access = this.#context.instances.get();
    for (const { name } of access.list()) {
      try {
        const { driver, instance, handle } = access.look(name.split("/").at(-1) ?? "");
        if (handle !== undefined || (await driver.can.backup?.settleRestore?.(instance)) !== true) continue;
        const message =
          "restoring a backup into it was cut short by a restart of the agent; its disks are what they were";
        const severity = EventSeverity.EVENT_SEVERITY_WARNING;
        this.#context.publisher.event({ severity, type: "instance.settled", resource: name, message, caller: "" });
      } catch (error) {
        this.#context.logError(error, `what a restart cut short at the disks of ${name} could not be ended`);
      }
    }
  }

  /** Makes an instance of a backup, or has the one that is there hold it again. @throws {ZorError} */
  async restore(request: RestoreBackupRequest, caller: string): Promise<Operation> {
    if (request.replace) return await this.#replace(request, caller);
    if (request.force) throw invalidFields([{ field: "force", description: "goes only with replace" }]);
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
    const ability = findDriver(parts.drivers, spec)?.can.backup;
    if (ability === undefined) throw notWhole(resource.name);
    const { volumes = [] } = facts;
    const ofItsOwn = ability.withoutVolumes?.(spec, volumes) ?? spec;
    const wanted = { id, labels, annotations, spec: { ...ofItsOwn, nics, schedules } };
    await access.checkNew(wanted, { caller, signal: ending });
    const verb = "backup.restore";
    const target = references.nameOf("instance", id);
    if (request.validateOnly) return checkedOperation(verb, target);
    return operations.start({
      ...{ verb, target, requestId: request.requestId, caller },
      work: async ({ signal, progress }) => {
        await using held = await this.#verifiedChain(made, { signal, progress });
        const value = await access.make(wanted, {
          ...{ caller, signal, progress, leaveStopped: request.leaveStopped },
          fill: async (instance) => {
            await ability.restoreBackup(
              instance,
              { layers: held.layers, volumes },
              { signal, progress, bytesPerSecond },
            );
            await held.assertUnchanged();
          },
        });
        return pack({ kind: "instance", value });
      },
    });
  }

  async #replace(request: RestoreBackupRequest, caller: string): Promise<Operation> {
    const { scope, instances, operations, references } = this.#context;
    const made = this.#made.get(scope.parse("backup", "name", request.name));
    const { facts, resource } = made;
    if (facts === undefined || made.isDoomed) throw notWhole(resource.name);
    const bytesPerSecond = checkRate(request.bytesPerSecond);
    const access = instances.get();
    const { subject, ability } = withAbility(access.look(resource.spec.instance));
    const target = subject.resource.name;
    if (request.instanceId !== "" && request.instanceId !== resource.spec.instance) {
      throw invalidFields([
        { field: "instance_id", description: "goes not with replace, which is of its own instance" },
      ]);
    }
    if (subject.resource.uid !== resource.spec.instanceUid) {
      const message = `${target} is not the instance of which ${resource.name} was taken; restore it as another one, with --as`;
      throw failedPrecondition("ANOTHER_INSTANCE", target, message);
    }
    const has = references.list("snapshot").find(({ spec }) => spec?.instanceUid === subject.resource.uid);
    if (has !== undefined) {
      const message = `${target} has snapshots such as ${has.name}, which lie in the disks that would go; delete them first`;
      throw failedPrecondition("INSTANCE_HAS_SNAPSHOTS", target, message);
    }
    access.assertUnclaimed(resource.spec.instance);
    if (subject.handle !== undefined && !request.force) throw running(target);
    if (ability.restoreInto === undefined) {
      const message = `${target} is of kind ${subject.driver.kind}, into which nothing is restored while it is there; delete it first, or restore with --as`;
      throw failedPrecondition("UNSUPPORTED", target, message);
    }
    const { restoreInto } = ability;
    const { volumes = [] } = facts;
    assertHasVolumes(this.#context, subject.resource, volumes);
    const verb = "backup.restore";
    if (request.validateOnly) return checkedOperation(verb, target);
    const operation = references.nameOf("operation", randomUUID());
    return operations.start({
      ...{ verb, target, requestId: request.requestId, caller, id: operation.split("/").at(-1) ?? "" },
      work: async ({ signal, progress }) => {
        try {
          await using held = await this.#verifiedChain(made, { signal, progress });
          await access.claim(resource.spec.instance, { what: "restored", operation }, async (claimed) => {
            assertHasVolumes(this.#context, claimed.subject().resource, volumes);
            const wasRunning = claimed.subject().handle !== undefined;
            if (wasRunning && !request.force) throw running(target);
            const options = { signal, progress, bytesPerSecond, caller };
            await claimed.stop(options);
            try {
              const verify = () => held.assertUnchanged();
              await restoreInto(claimed.subject().instance, { layers: held.layers, volumes }, { ...options, verify });
            } catch (error) {
              // Its disks are what they were.
              if (wasRunning) await claimed.start({ ...options, signal: uninterrupted });
              throw error;
            }
            if (!request.leaveStopped) await claimed.start(options);
          });
        } catch (error) {
          throw asFailure(error, target, "restore");
        }
        this.#made.announce("restored", made.id, caller);
        return pack({ kind: "instance", value: access.look(resource.spec.instance).resource });
      },
    });
  }

  /** The open files of those that are needed to restore one, which are what was written. */
  async #verifiedChain(
    made: MadeBackup,
    { signal, progress }: { readonly signal: AbortSignal; readonly progress: (step: string, percent: number) => void },
  ): Promise<VerifiedChain> {
    await using opened = new AsyncDisposableStack();
    const held: VerifiedFiles[] = [];
    const chain = chainOf(made, this.#made.group(made.resource.spec.instanceUid));
    progress("verifying the backup", 2);
    for (const each of chain) {
      if (each.facts === undefined) throw notWhole(each.resource.name);
      held.push(opened.use(await holdFiles(each.resource.name, each.facts, signal)));
    }
    const kept = opened.move();
    return {
      layers: held.map(({ files }) => files),
      assertUnchanged: async () => {
        for (const each of held) await each.assertUnchanged();
      },
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    };
  }
}
