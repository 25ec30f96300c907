import { readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endProcess, findIdentity, isAlive, type ProcessIdentity } from "../../../lib/process.js";
import { startDaemon } from "../../host/exec.js";
import { numberOf, parseObject, textOf } from "./json.js";
import type { Command } from "./privileges.js";

const endGraceMs = 1000;
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

  /** Starts it in place of one whose machine has only just ended; false: it has ended at once, and {@link lastWords} may say why. */
  async start({ tool, argv }: Command, options: CompanionOptions): Promise<boolean> {
    await this.end();
    await rm(this.#log, { force: true });
    const pid = await startDaemon(tool, argv, { ...options, logFile: this.#log });
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
    const identity = await this.#find();
    if (identity !== undefined && (await isAlive(identity))) await endProcess(identity, endGraceMs);
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
