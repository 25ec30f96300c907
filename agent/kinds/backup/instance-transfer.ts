import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { parseId } from "../../../lib/names.js";
import { checkRate } from "../../../lib/pace.js";
import type { BackupPart } from "../../../proto/gen/zor/agent/v1/backup_transfer_service.js";
import type {
  CloneBegin,
  InstanceTransferServiceService,
  ReadInstanceRequest,
  ReadInstanceResponse,
  ReceiveInstanceRequest,
  ReceiveInstanceResponse,
} from "../../../proto/gen/zor/agent/v1/instance_transfer_service.js";
import { Backup } from "../../../proto/gen/zor/v1/backup.js";
import { Instance, type InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { BackedUp } from "../../drivers/abilities/backups.js";
import { DiskQuota } from "../../drivers/disk-quota.js";
import { findDriver } from "../../drivers/find-driver.js";
import { imageRoom } from "../../images/image-room.js";
import type { AgentContext } from "../../parts.js";
import { withAbility } from "./backup-check.js";
import { holdFiles, sealFiles, toVolumes } from "./backup-files.js";
import { bytesOf, readBegin, writeFiles } from "./received-parts.js";
import { readParts } from "./transfer-service.js";

const mib = 1024 * 1024;

/** What goes from host to host by way of a hub, and is kept nowhere. */
export class InstanceTransfers {
  readonly #context: AgentContext;

  constructor(context: AgentContext) {
    this.#context = context;
  }

  get handlers(): Handlers<typeof InstanceTransferServiceService> {
    return {
      readInstance: (request, { signal }) => this.#read(request, signal),
      receiveInstance: (requests, context) => this.#receive(requests, context),
    };
  }

  /** Removes what an agent that was killed has left; nobody takes it any more. */
  async clear(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }

  async *#read(
    { instanceId, operation, bytesPerSecond: asked }: ReadInstanceRequest,
    signal: AbortSignal,
  ): AsyncIterable<ReadInstanceResponse> {
    const id = parseId("instance_id", instanceId);
    const bytesPerSecond = checkRate(asked);
    const access = this.#context.instances.get();
    access.assertUnclaimed(id);
    const { subject, ability } = withAbility(access.look(id));
    await ability.checkBackup(subject.instance);
    await using place = await this.#place();
    const { directory } = place;
    const options = { signal, progress: () => undefined, bytesPerSecond };
    const taken = await access.claim(id, { what: "cloned", operation }, async (claimed) => {
      const { resource, instance, handle } = claimed.subject();
      // Without a name it is in the way of no backup.
      const facts = await ability.takeBackup(instance, handle, { tag: "", directory, base: undefined }, options);
      return { ...facts, resource };
    });
    const instance = Instance.toJSON({ ...taken.resource, status: undefined });
    const { files } = await sealFiles(directory, instance, signal);
    const name = this.#context.references.nameOf("backup", id);
    const backup = Backup.fromPartial({
      ...{ name, spec: { instance: id } },
      status: { consistent: taken.consistent, backupTime: this.#context.now(), volumes: toVolumes(taken.volumes) },
    });
    for await (const part of readParts(backup, { directory, files, instance }, signal)) yield { part };
  }

  async *#receive(
    requests: AsyncIterable<ReceiveInstanceRequest>,
    { signal }: CallContext,
  ): AsyncIterable<ReceiveInstanceResponse> {
    const iterator = requests[Symbol.asyncIterator]();
    const next = async (): Promise<ReceiveInstanceRequest["message"]> => {
      const step = await iterator.next();
      return step.done === true ? undefined : step.value.message;
    };
    const first = await next();
    if (first?.$case !== "begin") throw invalidArgument("begin", "must be the first message");
    const begin = first.value;
    const access = this.#context.instances.get();
    const { ability: _later, ...wanted } = this.#wanted(begin.instance, begin);
    await access.checkNew(wanted, { caller: begin.caller, signal });
    yield { message: { $case: "ready", value: true } };
    const nextPart = async (): Promise<BackupPart | undefined> => {
      const message = await next();
      return message?.$case === "part" ? message.value : undefined;
    };
    yield* this.#make(begin, nextPart, signal);
  }

  async *#make(
    begin: CloneBegin,
    nextPart: () => Promise<BackupPart | undefined>,
    signal: AbortSignal,
  ): AsyncIterable<ReceiveInstanceResponse> {
    const { instances, references, settings, state } = this.#context;
    const name = references.nameOf("instance", begin.instanceId);
    const head = (await nextPart())?.part;
    if (head?.$case !== "begin") throw invalidArgument("part.begin", "must be the first part");
    const parts = readBegin(head.value);
    const { facts, sizeBytes, backup } = parts.received;
    if (backup.spec.incrementalOf !== "")
      throw invalidArgument("part.begin.backup.spec.incremental_of", "must be empty: a clone is whole");
    const { volumes = [] } = facts;
    const { ability, ...wanted } = this.#wanted(Instance.fromJSON(facts.instance), begin, volumes);
    // What the hub knew may be old.
    await instances.get().checkNew(wanted, { caller: begin.caller, signal });
    await using place = await this.#place();
    const { directory } = place;
    const room = imageRoom(new DiskQuota({ directory: state, limits: settings.disk }));
    await room.assertFits(sizeBytes, name);
    const take = async (): Promise<Buffer> => bytesOf(await nextPart(), name);
    await room.guard(name, signal, (writing) => writeFiles(directory, parts, take, writing));
    await using held = await holdFiles(name, { ...facts, directory, sizeBytes }, signal);
    const steps = new AsyncQueue<string>(64);
    const bytesPerSecond = checkRate(begin.bytesPerSecond);
    const progress = (step: string): void => void steps.push(step);
    const making = instances.get().make(wanted, {
      ...{ caller: begin.caller, signal, progress, leaveStopped: begin.leaveStopped },
      fill: (instance) =>
        ability.restoreBackup(instance, { layers: [held.files], volumes }, { signal, progress, bytesPerSecond }),
    });
    making.catch(() => undefined).finally(() => steps.end());
    for await (const step of steps) yield { message: { $case: "step", value: step } };
    yield { message: { $case: "instance", value: await making } };
  }

  /** What a clone is to be. @param volumes of the backup; undefined: they are not known yet. @throws {ZorError} */
  #wanted(
    instance: Instance | undefined,
    { instanceId, keepAddresses }: CloneBegin,
    volumes?: Parameters<NonNullable<BackedUp["withoutVolumes"]>>[1],
  ) {
    const id = parseId("instance_id", instanceId);
    const { spec, labels = {}, annotations = {} } = instance ?? {};
    const driver = spec === undefined ? undefined : findDriver(this.#context.parts.drivers, spec);
    const ability = driver?.can.backup;
    if (spec === undefined || driver === undefined || ability === undefined) {
      const name = this.#context.references.nameOf("instance", id);
      throw failedPrecondition("UNSUPPORTED", name, `${name}: what it is to be a clone of cannot be taken here`);
    }
    const written = driver.can.volumes?.volumesOf(spec).filter(({ readOnly }) => !readOnly) ?? [];
    const known = volumes ?? written.map(({ part, volume }) => ({ disk: part, volume, uid: "", sizeBytes: mib }));
    const nics = spec.nics.map((nic) => ({
      ...nic,
      ...{ mac: "", port: "" },
      addresses: keepAddresses ? nic.addresses : [],
    }));
    const own: InstanceSpec = ability.withoutVolumes?.(spec, known) ?? spec;
    return { id, labels, annotations, ability, spec: { ...own, nics, schedules: [] } };
  }

  get #root(): string {
    return join(this.#context.state, "transfers");
  }

  /** An empty directory, until it is disposed of. */
  async #place(): Promise<AsyncDisposable & { readonly directory: string }> {
    const directory = join(this.#root, randomUUID());
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return {
      directory,
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
    };
  }
}
