import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isNode, LineCounter, parseDocument } from "yaml";
import { loadConfig } from "../../lib/config.js";
import { failedPrecondition, messageOf } from "../../lib/errors.js";
import { readIfExists, writeFileAtomic } from "../../lib/files.js";
import { type SettingsFile, settingsFiles, type SettingsName, type SettingsValues } from "./settings-files.js";
import { WatchedDirectory } from "./watched-directory.js";

const names = Object.keys(settingsFiles) as SettingsName[];

/**
 * What a user has set for the terminal interface, in files of a directory that are looked at again while the program runs. A file that
 * cannot be read changes nothing: what it said before goes on.
 */
export class Settings {
  readonly #directory: string | undefined;
  readonly #stamps = new Map<SettingsName, string>();
  readonly #faulty = new Set<SettingsName>();
  #values: SettingsValues = Object.fromEntries(
    names.map((name) => [name, settingsFiles[name].empty]),
  ) as SettingsValues;
  #writing: Promise<void> = Promise.resolve();
  #version = 0;
  #watched: WatchedDirectory | undefined;

  /** @param directory of the files; undefined: nothing is kept. */
  constructor(directory?: string) {
    this.#directory = directory;
  }

  get values(): SettingsValues {
    return this.#values;
  }

  /** Grows when a value changes. */
  get version(): number {
    return this.#version;
  }

  /** From now on files are looked at only when they may be different, until the signal aborts. */
  follow(signal: AbortSignal): void {
    if (this.#directory !== undefined) this.#watched = new WatchedDirectory(this.#directory, signal);
  }

  /** Path of a file, for people. */
  pathOf(name: SettingsName): string {
    return join(this.#directory ?? "", settingsFiles[name].name);
  }

  /** Where something stands in a file, for people: "file:line:column"; the file alone where it does not stand there. */
  async placeOf(name: SettingsName, path: readonly string[]): Promise<string> {
    const file = this.pathOf(name);
    const lines = new LineCounter();
    const document = parseDocument((await readIfExists(file)) ?? "", { lineCounter: lines });
    const node = document.getIn(path, true);
    if (!isNode(node) || node.range === undefined || node.range === null) return file;
    const { line, col } = lines.linePos(node.range[0]);
    return `${file}:${line}:${col}`;
  }

  /** Reads the files that are new or different; resolves to what is wrong with them, "file:line:column key: what is wrong". */
  async look(): Promise<readonly string[]> {
    await this.#writing;
    if ((await this.#watched?.mayDiffer()) === false) return [];
    const faults: string[] = [];
    for (const name of names) {
      const stamp = await this.#stampOf(name);
      if (stamp === this.#stamps.get(name)) continue;
      this.#stamps.set(name, stamp);
      try {
        this.#set(name, stamp === "" ? settingsFiles[name].empty : await this.#read(name));
        this.#faulty.delete(name);
      } catch (error) {
        this.#faulty.add(name);
        faults.push(`${messageOf(error)}; until that is mended, what it said before holds`);
      }
    }
    return faults;
  }

  /**
   * Puts a value into a file, the rest of which stays as it is, and uses it from now on; undefined takes it out.
   * @throws {ZorError} FAILED_PRECONDITION when the file has faults: nobody's lines are written over.
   */
  async put(name: SettingsName, path: readonly string[], value: unknown): Promise<void> {
    if (this.#faulty.has(name)) {
      throw failedPrecondition(
        "BAD_CONFIG",
        "",
        `${this.pathOf(name)} has faults; mend it first, :messages says which`,
      );
    }
    this.#set(name, putInto(this.#values[name], path, value));
    if (this.#directory === undefined) return;
    this.#writing = this.#writing.then(() => this.#write(name, path, value));
    // Whoever comes next is not kept from writing by what went wrong before.
    const written = this.#writing;
    this.#writing = written.catch(() => undefined);
    await written;
  }

  #set(name: SettingsName, value: object): void {
    // The schema of that name, or its default, has made the value.
    this.#values = { ...this.#values, [name]: value } as SettingsValues;
    this.#version += 1;
  }

  async #read(name: SettingsName): Promise<object> {
    // Each file has a schema of its own, which its name stands for.
    const { schema } = settingsFiles[name] as SettingsFile<object>;
    return await loadConfig(schema, { file: this.pathOf(name) });
  }

  async #write(name: SettingsName, path: readonly string[], value: unknown): Promise<void> {
    const file = this.pathOf(name);
    await mkdir(this.#directory ?? "", { recursive: true, mode: 0o700 });
    const document = parseDocument((await readIfExists(file)) ?? `${settingsFiles[name].head}\n`);
    if (value === undefined) document.deleteIn(path);
    else document.setIn(path, document.createNode(value));
    await writeFileAtomic(file, document.toString());
    this.#stamps.set(name, await this.#stampOf(name));
  }

  /** Changes with the file; empty when there is none. */
  async #stampOf(name: SettingsName): Promise<string> {
    if (this.#directory === undefined) return "";
    const found = await stat(this.pathOf(name)).catch(() => undefined);
    return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeMs}`;
  }
}

/** A copy of an object with a value at a path of keys; undefined takes it out. */
function putInto(object: object, [key = "", ...rest]: readonly string[], value: unknown): object {
  const entries = new Map<string, unknown>(Object.entries(object));
  const inner = entries.get(key);
  const next =
    rest.length === 0 ? value : putInto(typeof inner === "object" && inner !== null ? inner : {}, rest, value);
  if (next === undefined) entries.delete(key);
  else entries.set(key, next);
  return Object.fromEntries(entries);
}
