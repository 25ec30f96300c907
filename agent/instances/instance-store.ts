import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.js";
import { readIfExists, setAside, syncDirectory, writeFileAtomic } from "../../lib/files.js";
import { isId } from "../../lib/names.js";
import { diskFull, isDiskFull } from "./failure.js";
import {
  formatStoredHandle,
  formatStoredInstance,
  parseStoredHandle,
  parseStoredInstance,
  type StoredHandle,
  type StoredInstance,
} from "./stored-instance.js";

/** Writes a file durably; a parameter so that tests can fill the disk. */
export type DurableWriter = typeof writeFileAtomic;

/** What the disk gave for one instance. */
export interface LoadedInstance {
  readonly id: string;
  /** Undefined when neither copy of the spec could be read. */
  readonly stored: StoredInstance | undefined;
  readonly handle: StoredHandle | undefined;
  /** What was wrong with its files, for people; empty when nothing was. */
  readonly damage: readonly string[];
}

const specFile = "spec.json";
const backupFile = "spec.bak.json";
const handleFile = "handle.json";
const driverDirectory = "driver";

/**
 * The instances on disk, one directory each: the spec twice, so that one truncated file loses nothing, the handle of the
 * running process, and the driver's own directory. Every write is durable when it resolves.
 */
export class InstanceStore {
  readonly #directory: string;
  readonly #write: DurableWriter;

  constructor(directory: string, write: DurableWriter = writeFileAtomic) {
    this.#directory = directory;
    this.#write = write;
  }

  /** The directory that belongs to the instance's driver. */
  driverDirectory(id: string): string {
    return join(this.#directory, id, driverDirectory);
  }

  /** Makes the instance's directories. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async createDirectory(id: string, resource: string): Promise<void> {
    await this.#guard(resource, async () => {
      await mkdir(this.driverDirectory(id), { recursive: true, mode: 0o700 });
      await syncDirectory(this.#directory);
    });
  }

  /** Writes the spec. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full; the old spec is then still there. */
  async writeSpec(stored: StoredInstance): Promise<void> {
    const text = formatStoredInstance(stored);
    await this.#guard(stored.instance.name, async () => {
      // The spec counts, so it comes last: when the disk fills in between, the old one still stands.
      await this.#write(this.#path(stored.id, backupFile), text);
      await this.#write(this.#path(stored.id, specFile), text);
    });
  }

  /** Writes the handle. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async writeHandle(id: string, resource: string, stored: StoredHandle): Promise<void> {
    await this.#guard(resource, () => this.#write(this.#path(id, handleFile), formatStoredHandle(stored)));
  }

  /** Forgets the handle. Idempotent. */
  async removeHandle(id: string): Promise<void> {
    await rm(this.#path(id, handleFile), { force: true });
  }

  /** Removes everything the disk holds of the instance. Idempotent; works on a full disk. */
  async remove(id: string): Promise<void> {
    // The rename makes it vanish at once: a crash in the middle of the removal must not leave half an instance.
    const doomed = join(this.#directory, `.removed-${id}-${process.pid}-${Date.now()}`);
    try {
      await rename(join(this.#directory, id), doomed);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
      throw error;
    }
    await syncDirectory(this.#directory);
    await rm(doomed, { recursive: true, force: true });
  }

  /** Reads all instances. Damaged files are set aside and reported, never deleted. */
  async load(now: Date): Promise<LoadedInstance[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const loaded: LoadedInstance[] = [];
    for (const entry of await readdir(this.#directory, { withFileTypes: true })) {
      if (entry.name.startsWith(".removed-")) {
        await rm(join(this.#directory, entry.name), { recursive: true, force: true });
      } else if (entry.isDirectory() && isId(entry.name)) {
        loaded.push(await this.#loadOne(entry.name, now));
      }
    }
    return loaded;
  }

  async #loadOne(id: string, now: Date): Promise<LoadedInstance> {
    await this.#removeScratchFiles(id);
    const damage: string[] = [];
    const spec = await this.#read(id, specFile, (text) => parseStoredInstance(id, text), { now, damage });
    const backup = await this.#read(id, backupFile, (text) => parseStoredInstance(id, text), { now, damage });
    const handle = await this.#read(id, handleFile, parseStoredHandle, { now, damage });
    const stored = spec ?? backup;
    if (stored !== undefined && (spec === undefined || backup === undefined)) await this.#repair(stored, damage);
    return { id, stored, handle, damage };
  }

  async #read<T>(
    id: string,
    file: string,
    parse: (text: string) => T | undefined,
    report: { readonly now: Date; readonly damage: string[] },
  ): Promise<T | undefined> {
    const path = this.#path(id, file);
    const text = await readIfExists(path);
    if (text === undefined) return undefined;
    const parsed = parse(text);
    if (parsed === undefined) {
      await setAside(path, report.now);
      report.damage.push(`${file} was damaged and is set aside as ${file}.corrupt-*`);
    }
    return parsed;
  }

  async #repair(stored: StoredInstance, damage: string[]): Promise<void> {
    try {
      await this.writeSpec(stored);
    } catch (error) {
      // One good copy is left; it is written again with the next change or start of the agent.
      damage.push(`the specification could not be written again (${messageOf(error)})`);
    }
  }

  async #removeScratchFiles(id: string): Promise<void> {
    const names = await readdir(join(this.#directory, id));
    const scratch = names.filter((name) => /\.json\.[0-9a-f]+\.tmp$/.test(name));
    await Promise.all(scratch.map((name) => rm(this.#path(id, name), { force: true })));
  }

  #path(id: string, file: string): string {
    return join(this.#directory, id, file);
  }

  async #guard(resource: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw isDiskFull(error) ? diskFull(resource, error) : error;
    }
  }
}
