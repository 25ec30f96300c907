import { join } from "node:path";
import { mkdir, writeFile } from "node:fs/promises";
import { run } from "../../../agent/host/exec.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import type { Backup } from "../../../proto/gen/zor/v1/backup.js";
import {
  BackupServiceService,
  CreateBackupRequest,
  RestoreBackupRequest,
} from "../../../proto/gen/zor/v1/backup_service.js";
import { ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import {
  CreateInstanceRequest,
  InstanceServiceService,
  UpdateInstanceRequest,
} from "../../../proto/gen/zor/v1/instance_service.js";
import {
  CloneInstanceRequest,
  InstanceCopyServiceService,
  SaveInstanceRequest,
} from "../../../proto/gen/zor/v1/instance_copy_service.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import type { Schedule } from "../../../proto/gen/zor/v1/schedule.js";
import type { Snapshot } from "../../../proto/gen/zor/v1/snapshot.js";
import { CreateSnapshotRequest, SnapshotServiceService } from "../../../proto/gen/zor/v1/snapshot_service.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { eventually } from "../../helpers/eventually.js";
import { AgentProcess } from "../agent/agent-process.js";

const host = "hosts/zt";
const mutation = { requestId: "", validateOnly: false };

/** Image of the machines' disks. */
const diskImage = "disk.raw";

/** A real agent in a process of its own, with machines and containers whose states are kept. */
export class SnapshotRig {
  readonly agent: AgentProcess;
  readonly #before: MachineState;
  #connection: Connection;

  private constructor(agent: AgentProcess, connection: Connection, before: MachineState) {
    this.agent = agent;
    this.#connection = connection;
    this.#before = before;
  }

  static async start(extra: readonly string[] = []): Promise<SnapshotRig> {
    const before = captureMachine();
    const agent = await AgentProcess.create();
    const images = join(agent.state, "images");
    await mkdir(images, { recursive: true });
    await run("truncate", ["--size", "16M", join(images, diskImage)]);
    await mkdir(join(agent.state, "backups"));
    await writeFile(join(agent.state, "agent.yaml"), `backupDirs: [${join(agent.state, "backups")}]\n`);
    await agent.start(configured(agent, extra));
    return new SnapshotRig(agent, await agent.connect(), before);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Kills the agent and starts another one. */
  async kill(meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    this.#connection.close();
    await this.agent.end("SIGKILL");
    await meanwhile();
    await this.agent.start(configured(this.agent, []));
    this.#connection = await this.agent.connect();
  }

  /** Resolves to what of this rig is left on the machine. */
  async close(): Promise<readonly string[]> {
    this.#connection.close();
    await this.agent.destroy();
    const mine = new RegExp(`${this.agent.state}|${this.agent.netns}`);
    const left = () => leftBehind(this.#before, captureMachine(), mine);
    // What was killed with it goes a moment later.
    await eventually(() => {
      if (left().length > 0) throw new Error("there still is something");
    }).catch(() => undefined);
    return left();
  }

  nameOf(id: string): string {
    return `${host}/instances/${id}`;
  }

  /** Makes and starts a machine of the built-in image with a persistent disk. */
  async machine(id: string, image = diskImage): Promise<void> {
    const disks = [{ image, persistent: true }];
    const qemu = { accelerator: "ACCELERATOR_TCG", kernel: "micro", disks };
    await this.create(id, Instance.fromJSON({ spec: { qemu } }));
    await this.ready(id);
  }

  async container(id: string): Promise<void> {
    await this.create(id, Instance.fromJSON({ spec: { crun: { rootfs: "micro", persistent: true } } }));
  }

  async beginCreate(instanceId: string, instance: Instance): Promise<Operation | undefined> {
    const request = CreateInstanceRequest.fromPartial({ parent: host, instanceId, instance });
    return (await this.connection.unary(InstanceServiceService.createInstance, request)).operation;
  }

  async create(instanceId: string, instance: Instance): Promise<void> {
    await this.done(await this.beginCreate(instanceId, instance));
  }

  /** Says all schedules of an instance. */
  async schedule(id: string, ...schedules: readonly Partial<Schedule>[]): Promise<void> {
    const instance = { name: this.nameOf(id), spec: { schedules: [...schedules] } };
    const request = UpdateInstanceRequest.fromPartial({ instance, updateMask: ["spec.schedules"] });
    await this.connection.unary(InstanceServiceService.updateInstance, request);
  }

  async read(id: string): Promise<Instance> {
    const { instance } = await this.connection.unary(InstanceServiceService.getInstance, { name: this.nameOf(id) });
    if (instance === undefined) throw new Error("no instance in the response");
    return instance;
  }

  /** Waits until commands can be run inside. */
  async ready(id: string): Promise<void> {
    await eventually(async () => {
      if ((await this.read(id)).status?.execReady !== true) throw new Error(`${id} does not answer yet`);
    }, 60_000);
  }

  /** Waits for an operation's end. */
  async ended(operation: Operation | undefined): Promise<Operation> {
    const request = { name: operation?.name ?? "", timeout: { seconds: 60n, nanos: 0 } };
    const answer = await this.connection.unary(OperationServiceService.waitOperation, request, { timeoutMs: 70_000 });
    if (answer.operation === undefined) throw new Error("no operation in the response");
    return answer.operation;
  }

  /** Waits until an operation has succeeded. */
  async done(operation: Operation | undefined): Promise<Operation> {
    const ended = await this.ended(operation);
    if (ended.state === OperationState.OPERATION_STATE_SUCCEEDED) return ended;
    throw new Error(`${ended.verb} failed: ${ended.error?.message}`);
  }

  async shell(id: string, command: string): Promise<string> {
    const start = ExecStart.fromPartial({ name: this.nameOf(id), command: ["sh", "-c", command] });
    async function* requests() {
      yield { message: { $case: "start" as const, value: start } };
    }
    let output = "";
    for await (const { message } of this.connection.bidi(ExecServiceService.exec, requests(), { timeoutMs: 60_000 })) {
      if (message?.$case === "stdout" || message?.$case === "stderr") output += message.value.toString();
      if (message?.$case === "exit") return output.trim();
    }
    throw new Error("the command did not end");
  }

  /** Begins to take a snapshot. */
  async begin(instance: string, id: string, spec: { memory?: boolean; description?: string } = {}): Promise<Operation> {
    const snapshot = { spec: { instance, ...spec } };
    const request = CreateSnapshotRequest.fromPartial({ parent: host, snapshotId: id, snapshot });
    const { operation } = await this.connection.unary(SnapshotServiceService.createSnapshot, request);
    if (operation === undefined) throw new Error("no operation in the response");
    return operation;
  }

  async take(instance: string, id: string, spec: { memory?: boolean; description?: string } = {}): Promise<void> {
    await this.done(await this.begin(instance, id, spec));
  }

  async revert(id: string): Promise<void> {
    const request = { ...mutation, name: `${host}/snapshots/${id}` };
    await this.done((await this.connection.unary(SnapshotServiceService.revertSnapshot, request)).operation);
  }

  async remove(id: string): Promise<void> {
    await this.connection.unary(SnapshotServiceService.deleteSnapshot, {
      ...mutation,
      name: `${host}/snapshots/${id}`,
    });
  }

  async snapshots(): Promise<readonly Snapshot[]> {
    const list = { parent: host, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
    return (await this.connection.unary(SnapshotServiceService.listSnapshots, list)).snapshots;
  }

  /** "path" of each snapshot, "*" before that of the current one. */
  async tree(): Promise<readonly string[]> {
    const all = await this.snapshots();
    return all.map(({ status }) => `${status?.current === true ? "*" : ""}${status?.path}`).sort();
  }

  /** Begins to save an instance as an image. */
  async beginSave(id: string, image: string, more: Partial<SaveInstanceRequest> = {}): Promise<Operation | undefined> {
    const request = SaveInstanceRequest.fromPartial({ name: this.nameOf(id), image, ...more });
    return (await this.connection.unary(InstanceCopyServiceService.saveInstance, request)).operation;
  }

  async clone(id: string, instanceId: string): Promise<void> {
    const request = CloneInstanceRequest.fromPartial({ name: this.nameOf(id), instanceId });
    await this.done((await this.connection.unary(InstanceCopyServiceService.cloneInstance, request)).operation);
  }

  get backups(): string {
    return join(this.agent.state, "backups");
  }

  async backUp(instance: string, backupId: string, incremental: boolean): Promise<void> {
    const request = CreateBackupRequest.fromPartial({
      parent: host,
      backupId,
      backup: { spec: { instance, incremental } },
    });
    await this.done((await this.connection.unary(BackupServiceService.createBackup, request)).operation);
  }

  async backup(id: string): Promise<Backup> {
    const { backup } = await this.connection.unary(BackupServiceService.getBackup, { name: `${host}/backups/${id}` });
    if (backup === undefined) throw new Error("no backup in the response");
    return backup;
  }

  async backupIds(): Promise<readonly string[]> {
    const list = { parent: host, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
    const { backups } = await this.connection.unary(BackupServiceService.listBackups, list);
    return backups.map(({ name }) => name.split("/").at(-1) ?? "");
  }

  async restoreBackup(id: string, instanceId: string): Promise<void> {
    const request = RestoreBackupRequest.fromPartial({ name: `${host}/backups/${id}`, instanceId });
    await this.done((await this.connection.unary(BackupServiceService.restoreBackup, request)).operation);
  }

  async removeBackup(id: string): Promise<void> {
    await this.connection.unary(BackupServiceService.deleteBackup, { ...mutation, name: `${host}/backups/${id}` });
  }

  async act(verb: "startInstance" | "stopInstance", id: string): Promise<void> {
    const method = InstanceServiceService[verb];
    await this.connection.unary(method, { ...mutation, name: this.nameOf(id) }, { timeoutMs: 60_000 });
  }

  async delete(id: string): Promise<void> {
    const request = { ...mutation, name: this.nameOf(id), force: true };
    await this.connection.unary(InstanceServiceService.deleteInstance, request, { timeoutMs: 30_000 });
  }
}

function configured(agent: AgentProcess, extra: readonly string[]): readonly string[] {
  return ["--config", join(agent.state, "agent.yaml"), ...extra];
}
