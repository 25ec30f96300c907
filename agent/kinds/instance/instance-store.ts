import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { type DurableWriter, SpecDirectory } from "../../kit/spec-directory.js";
import { formatStored } from "../../kit/stored-spec.js";
import { BootRecord } from "./boot-record.js";
import { isNewLife, type Life } from "./restart-plan.js";
import {
  formatStoredEnd,
  formatStoredHandle,
  formatStoredLife,
  formatStoredRunning,
  parseStoredEnd,
  parseStoredHandle,
  parseStoredInstance,
  parseStoredLife,
  parseStoredRunning,
  type StoredEnd,
  type StoredHandle,
  type StoredInstance,
} from "./stored-instance.js";

/** What the disk gave for one instance. */
export interface LoadedInstance {
  readonly id: string;
  /** Undefined when neither copy of the spec could be read. */
  readonly stored: StoredInstance | undefined;
  readonly handle: StoredHandle | undefined;
  /** How its last run ended; undefined when it runs, or nothing is known. */
  readonly end: StoredEnd | undefined;
  /** Its restarts; undefined: there is nothing to say of them. */
  readonly life: Life | undefined;
  /** The specification that what runs has, where it is another one. */
  readonly running: InstanceSpec | undefined;
  /** The specification that it was suspended with, or was about to be. */
  readonly suspended: InstanceSpec | undefined;
  /** What was wrong with its files, for people; empty when nothing was. */
  readonly damage: readonly string[];
}

const handleFile = "handle.json";
const endFile = "end.json";
const lifeFile = "life.json";
const runningFile = "running.json";
const suspendedFile = "suspended.json";
const driverDirectory = "driver";

/** The instances on disk: the spec, the handle of the running process, and the driver's own directory. */
export class InstanceStore {
  readonly #specs: SpecDirectory<StoredInstance>;
  readonly #bootFile: string;
  readonly #write: DurableWriter | undefined;

  constructor(directory: string, write?: DurableWriter) {
    // Beside the instances: no instance can have such a name.
    this.#bootFile = join(directory, ".boot.json");
    this.#write = write;
    this.#specs = new SpecDirectory({
      directory,
      format: (stored) => formatStored("instance", stored),
      parse: parseStoredInstance,
      ...(write === undefined ? {} : { write }),
    });
  }

  /** The directory that belongs to the instance's driver. */
  driverDirectory(id: string): string {
    return this.#specs.path(id, driverDirectory);
  }

  /** Makes the instance's directories. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async createDirectory(id: string, resource: string): Promise<void> {
    await this.#specs.create(id, resource, driverDirectory);
  }

  /** Writes the spec. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full; the old spec is then still there. */
  async writeSpec(stored: StoredInstance): Promise<void> {
    await this.#specs.write(stored.id, stored.resource.name, stored);
  }

  /** Writes the handle. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async writeHandle(id: string, resource: string, stored: StoredHandle): Promise<void> {
    await this.#specs.writeFile(id, resource, handleFile, formatStoredHandle(stored));
  }

  /** Forgets the handle, and what runs with it. Idempotent. */
  async removeHandle(id: string): Promise<void> {
    await rm(this.#specs.path(id, handleFile), { force: true });
    await this.removeRunning(id);
  }

  /** Writes the specification that what runs has, where it is another one. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async writeRunning(id: string, resource: string, spec: InstanceSpec): Promise<void> {
    await this.#specs.writeFile(id, resource, runningFile, formatStoredRunning(spec));
  }

  /** What runs has the instance's specification. Idempotent. */
  async removeRunning(id: string): Promise<void> {
    await rm(this.#specs.path(id, runningFile), { force: true });
  }

  /** Writes the specification that it is suspended with. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async writeSuspended(id: string, resource: string, spec: InstanceSpec): Promise<void> {
    await this.#specs.writeFile(id, resource, suspendedFile, formatStoredRunning(spec));
  }

  /** It is suspended no more. Idempotent. */
  async removeSuspended(id: string): Promise<void> {
    await rm(this.#specs.path(id, suspendedFile), { force: true });
  }

  /** Writes how the last run ended; nothing to say removes what was said. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async writeEnd(id: string, resource: string, end: StoredEnd): Promise<void> {
    if (end.reason === "" && end.end === undefined) await rm(this.#specs.path(id, endFile), { force: true });
    else await this.#specs.writeFile(id, resource, endFile, formatStoredEnd(end));
  }

  /** Writes what is kept of its restarts; nothing to keep removes the file. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async writeLife(id: string, resource: string, life: Life): Promise<void> {
    if (isNewLife(life)) await rm(this.#specs.path(id, lifeFile), { force: true });
    else await this.#specs.writeFile(id, resource, lifeFile, formatStoredLife(life));
  }

  /** What is kept of the boots of the host. */
  async openBootRecord(options: Omit<Parameters<typeof BootRecord.open>[0], "path" | "write">): Promise<BootRecord> {
    return BootRecord.open({ ...options, path: this.#bootFile, write: this.#write });
  }

  /** Removes everything the disk holds of the instance. Idempotent; works on a full disk. */
  async remove(id: string): Promise<void> {
    await this.#specs.remove(id);
  }

  /** Reads all instances. Damaged files are set aside and reported, never deleted. */
  async load(now: Date): Promise<LoadedInstance[]> {
    const loaded: LoadedInstance[] = [];
    for (const { id, value, damage } of await this.#specs.load(now)) {
      const handle = await this.#specs.read(id, handleFile, parseStoredHandle, { now, damage });
      const end = await this.#specs.read(id, endFile, parseStoredEnd, { now, damage });
      const life = await this.#specs.read(id, lifeFile, parseStoredLife, { now, damage });
      const suspended = await this.#specs.read(id, suspendedFile, parseStoredRunning, { now, damage });
      const running = await this.#specs.read(id, runningFile, parseStoredRunning, { now, damage });
      loaded.push({ id, stored: value, handle, end, life, running, suspended, damage });
    }
    return loaded;
  }
}
