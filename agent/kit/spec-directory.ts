import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { readIfExists, setAside, syncDirectory, writeFileAtomic } from "../../lib/files.js";
import { isId } from "../../lib/names.js";
import { diskFull, isDiskFull } from "./failure.js";
import { toldOf } from "../host/told.js";

/** Writes a file durably; a parameter so that tests can fill the disk. */
export type DurableWriter = typeof writeFileAtomic;

/** How specs are kept. */
export interface SpecDirectoryOptions<T> {
  readonly directory: string;
  readonly format: (value: T) => string;
  /** Undefined when the text is not a whole, valid spec of `id`. */
  readonly parse: (id: string, text: string) => T | undefined;
  readonly write?: DurableWriter;
}

/** What the disk gave for one id. */
export interface LoadedSpec<T> {
  readonly id: string;
  /** Undefined when neither copy could be read. */
  readonly value: T | undefined;
  /** What was wrong with its files, for people. */
  readonly damage: string[];
}

const specFile = "spec.json";
const backupFile = "spec.bak.json";

/**
 * Specs on disk, a directory for each id with two copies, so that one truncated file loses nothing. Every write is durable
 * when it resolves; damaged files are set aside, never deleted.
 */
export class SpecDirectory<T> {
  readonly #options: SpecDirectoryOptions<T>;
  readonly #write: DurableWriter;

  constructor(options: SpecDirectoryOptions<T>) {
    this.#options = options;
    this.#write = options.write ?? writeFileAtomic;
  }

  /** Path of something in the directory of an id. */
  path(id: string, ...parts: readonly string[]): string {
    return join(this.#options.directory, id, ...parts);
  }

  /** Makes the directory of an id, and `parts` below it. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async create(id: string, resource: string, ...parts: readonly string[]): Promise<void> {
    await guardDisk(resource, async () => {
      await mkdir(this.path(id, ...parts), { recursive: true, mode: 0o700 });
      await syncDirectory(this.#options.directory);
    });
  }

  /** Writes a spec. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full; the old spec is then still there. */
  async write(id: string, resource: string, value: T): Promise<void> {
    const text = this.#options.format(value);
    // The spec counts, so it comes last: when the disk fills in between, the old one still stands.
    await this.writeFile(id, resource, backupFile, text);
    await this.writeFile(id, resource, specFile, text);
  }

  /** Writes another file next to the spec. @throws {ZorError} RESOURCE_EXHAUSTED when the disk is full. */
  async writeFile(id: string, resource: string, file: string, text: string): Promise<void> {
    await guardDisk(resource, () => this.#write(this.path(id, file), text));
  }

  /** Removes an id with everything below it. Idempotent; works on a full disk. */
  async remove(id: string): Promise<void> {
    // The rename makes it vanish at once: a crash in the middle of the removal must not leave half of it.
    const doomed = join(this.#options.directory, `.removed-${id}-${process.pid}-${Date.now()}`);
    try {
      await rename(this.path(id), doomed);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
      throw error;
    }
    await syncDirectory(this.#options.directory);
    await rm(doomed, { recursive: true, force: true });
  }

  /** Reads all specs. */
  async load(now: Date): Promise<LoadedSpec<T>[]> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const loaded: LoadedSpec<T>[] = [];
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.name.startsWith(".removed-")) {
        await rm(join(directory, entry.name), { recursive: true, force: true });
      } else if (entry.isDirectory() && isId(entry.name)) {
        loaded.push(await this.#loadOne(entry.name, now));
      }
    }
    return loaded;
  }

  /** Reads a file of an id; one that does not parse is set aside and told in `report.damage`. */
  async read<U>(
    id: string,
    file: string,
    parse: (text: string) => U | undefined,
    report: { readonly now: Date; readonly damage: string[] },
  ): Promise<U | undefined> {
    const path = this.path(id, file);
    const text = await readIfExists(path);
    if (text === undefined) return undefined;
    const parsed = parse(text);
    if (parsed === undefined) {
      await setAside(path, report.now);
      report.damage.push(`${file} was damaged and is set aside as ${file}.corrupt-*`);
    }
    return parsed;
  }

  async #loadOne(id: string, now: Date): Promise<LoadedSpec<T>> {
    await this.#removeScratchFiles(id);
    const damage: string[] = [];
    const parse = (text: string): T | undefined => this.#parse(id, text);
    const spec = await this.read(id, specFile, parse, { now, damage });
    const backup = await this.read(id, backupFile, parse, { now, damage });
    const value = spec ?? backup;
    if (value !== undefined && (spec === undefined || backup === undefined)) await this.#repair(id, value, damage);
    return { id, value, damage };
  }

  /** A damaged file may be whole JSON and yet hold numbers and times that no message can: what cannot be written again counts as damaged. */
  #parse(id: string, text: string): T | undefined {
    try {
      const value = this.#options.parse(id, text);
      if (value !== undefined) this.#options.format(value);
      return value;
    } catch {
      return undefined;
    }
  }

  async #repair(id: string, value: T, damage: string[]): Promise<void> {
    try {
      await this.write(id, id, value);
    } catch (error) {
      // One good copy is left; it is written again with the next change or start of the agent.
      damage.push(`the specification could not be written again (${toldOf(error)})`);
    }
  }

  async #removeScratchFiles(id: string): Promise<void> {
    const names = await readdir(this.path(id));
    const scratch = names.filter((name) => /\.json\.[0-9a-f]+\.tmp$/.test(name));
    await Promise.all(scratch.map((name) => rm(this.path(id, name), { force: true })));
  }
}

async function guardDisk(resource: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw isDiskFull(error) ? diskFull(resource, error) : error;
  }
}
