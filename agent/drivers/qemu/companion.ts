import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endProcess, findIdentity, isAlive, type ProcessIdentity } from "../../../lib/process.js";
import { startDaemon } from "../../host/exec.js";
import { numberOf, parseObject, textOf } from "./json.js";
import type { Command } from "./privileges.js";

const endGraceMs = 1000;
/** In the environment of a companion: whose it is, for when that could not be written down. */
const mark = "ZOR_COMPANION";
const maxLogBytes = 1024 * 1024;

/** How a companion is started. */
export interface CompanionOptions {
  readonly netns: string;
  readonly cwd: string;
  /** Open descriptors that it inherits as 3, 4 and so on; the caller closes its own. */
  readonly fds: readonly number[];
}

/**
 * A program beside QEMU that does a part of a machine, and ends with it. Which process it is lies in the instance's directory, also for the
 * agent's next life.
 */
export class Companion {
  readonly #directory: string;
  readonly #name: string;

  /** @param name of its files in the instance's directory. */
  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
  }

  get #handle(): string {
    return join(this.#directory, `${this.#name}.json`);
  }

  get #log(): string {
    return join(this.#directory, `${this.#name}.log`);
  }

  get #mark(): string {
    return join(this.#directory, this.#name);
  }

  /** Starts it in place of one whose machine has only just ended; false: it has ended at once, and {@link lastWords} may say why. */
  async start({ tool, argv }: Command, options: CompanionOptions): Promise<boolean> {
    await this.remove();
    const env = { [mark]: this.#mark };
    const pid = await startDaemon(tool, argv, { ...options, env, logFile: this.#log });
    const identity = await findIdentity(pid);
    if (identity === undefined) return false;
    await writeFile(this.#handle, JSON.stringify(identity), { mode: 0o600 });
    return true;
  }

  /** Cuts what it said off when a guest has provoked too much. Call now and then. */
  async boundLog(): Promise<void> {
    const size = await stat(this.#log).then(
      (found) => found.size,
      () => 0,
    );
    // It appends: its next words go to the new end.
    if (size > maxLogBytes) await truncate(this.#log);
  }

  /** The last line of what it said, for people. */
  async lastWords(): Promise<string> {
    await this.boundLog();
    const said = await readFile(this.#log, "utf8").catch(() => "");
    return (said.trim().split("\n").at(-1) ?? "").slice(0, 200);
  }

  async isAlive(): Promise<boolean> {
    const identity = await this.#find();
    return identity !== undefined && (await isAlive(identity));
  }

  /** Idempotent. */
  async end(): Promise<void> {
    const known = await this.#find();
    // Its log is made before it starts: an agent that was ended in between has left one without having written down whose it is.
    const left = known === undefined && existsSync(this.#log) ? await findMarked(this.#mark) : [];
    for (const identity of known === undefined ? left : [known])
      if (await isAlive(identity)) await endProcess(identity, endGraceMs);
  }

  /** Ends it and removes its files. Idempotent. */
  async remove(): Promise<void> {
    await this.end();
    for (const path of [this.#handle, this.#log]) await rm(path, { force: true });
  }

  async #find(): Promise<ProcessIdentity | undefined> {
    const handle = parseObject(await readFile(this.#handle).catch(() => Buffer.alloc(0)));
    const [pid, startTicks] = [numberOf(handle, "pid"), textOf(handle, "startTicks")];
    return pid === undefined || startTicks === "" ? undefined : { pid, startTicks };
  }
}

/** Reads all of /proc. */
async function findMarked(value: string): Promise<readonly ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, "utf8").catch(() => "");
    if (!environment.split("\0").includes(`${mark}=${value}`)) continue;
    const identity = await findIdentity(Number(name));
    if (identity !== undefined) found.push(identity);
  }
  return found;
}
