import { readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../../lib/files.js";
import {
  endProcess,
  findIdentity,
  findProcesses,
  isAlive,
  type ProcessIdentity,
  parseIdentity,
  readArguments,
  signalProcess,
} from "../../../lib/process.js";
import { startDaemon } from "../../host/exec.js";
import { isStopped } from "../../host/stopped.js";

/** A program that outlives the agent, one of its kind in its directory. */
export interface DaemonSpec {
  readonly program: "slirp4netns" | "dnsmasq";
  readonly argv: readonly string[];
  /** Net namespace that it runs in; undefined: the agent's own. */
  readonly netns: string | undefined;
  /** Most files that it may have open: what guests make it open is bounded. */
  readonly maxFiles: number;
  /** One of its arguments that no other process has. */
  readonly mark: string;
}

const graceMs = 2000;
const maxLogBytes = 256 * 1024;
/** So many looks in a row find it stopped before it is told to go on. */
const looks = 2;

/** Runs a program and finds it again: by its record, or when that is lost by its arguments. */
export class KeptDaemon {
  readonly #directory: string;
  readonly #program: DaemonSpec["program"];
  readonly #onExit: () => void;
  #identity: ProcessIdentity | undefined;
  /** How many looks in a row have found it stopped. */
  #stopped = 0;

  /** @param onExit told when it ends although nobody ended it, if this process started it. */
  constructor(directory: string, program: DaemonSpec["program"], onExit: () => void) {
    this.#directory = directory;
    this.#program = program;
    this.#onExit = onExit;
  }

  get identity(): ProcessIdentity | undefined {
    return this.#identity;
  }

  /** Sees to it that it runs as it should. One that runs with other arguments is replaced. @returns whether it had to be started. */
  async ensure(spec: DaemonSpec): Promise<boolean> {
    const running = await this.find(spec.mark);
    const argv = running === undefined ? [] : await readArguments(running.pid);
    if (running !== undefined && argv.join("\0") === [spec.program, ...spec.argv].join("\0")) {
      this.#identity = running;
      return false;
    }
    if (running !== undefined) await this.#end(running);
    await this.#start(spec);
    return true;
  }

  async isRunning(): Promise<boolean> {
    return this.#identity !== undefined && (await isAlive(this.#identity));
  }

  /** Looks whether somebody has stopped it (SIGSTOP), and has it go on: it loses nothing by it. Resolves to whether that was so. Call now and then. */
  async goOn(): Promise<boolean> {
    if (this.#identity === undefined || !(await isStopped(this.#identity))) {
      this.#stopped = 0;
      return false;
    }
    this.#stopped += 1;
    if (this.#stopped < looks) return false;
    this.#stopped = 0;
    return await signalProcess(this.#identity, "SIGCONT");
  }

  /** Has it read its files again. */
  async reload(): Promise<void> {
    if (this.#identity !== undefined && (await isAlive(this.#identity))) process.kill(this.#identity.pid, "SIGHUP");
  }

  /** Ends it. Idempotent. */
  async stop(mark: string): Promise<void> {
    const running = await this.find(mark);
    if (running !== undefined) await this.#end(running);
  }

  /** The end of what it said last, for people. */
  async lastWords(): Promise<string> {
    const text = (await readIfExists(this.#logFile)) ?? "";
    return text.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
  }

  /** Guests can make programs say things. */
  async trimLog(): Promise<void> {
    const size = await stat(this.#logFile).then(
      (file) => file.size,
      () => 0,
    );
    // It appends, and goes on at the beginning.
    if (size > maxLogBytes) await truncate(this.#logFile);
  }

  /** The process, whoever started it. */
  async find(mark: string): Promise<ProcessIdentity | undefined> {
    const isIt = (argv: readonly string[]): boolean => argv[0] === this.#program && argv.includes(mark);
    const known = this.#identity ?? parseIdentity(await readIfExists(this.#recordFile));
    if (known !== undefined && (await isAlive(known)) && isIt(await readArguments(known.pid))) return known;
    const [found] = await findProcesses(isIt);
    return found;
  }

  async #start({ program, argv, netns, maxFiles }: DaemonSpec): Promise<void> {
    const files = Math.min(maxFiles, await maxOpenFiles());
    let isMeant = true;
    // slirp4netns walls itself off by taking the host's mounts away, and makes only the first of them its own before: whatever is mounted
    // below a mount that is shared, such as the names of net namespaces, would be gone for the host too.
    const apart = ["unshare", "--mount", "--propagation", "slave", "--"];
    const limited = [`--nofile=${files}:${files}`, ...apart, program, ...argv];
    const pid = await startDaemon("prlimit", limited, {
      netns,
      cwd: "/",
      logFile: this.#logFile,
      onExit: () => {
        if (isMeant && this.#identity?.pid === pid) this.#onExit();
        isMeant = false;
      },
    });
    this.#identity = await findIdentity(pid);
    if (this.#identity !== undefined) await writeFileAtomic(this.#recordFile, JSON.stringify(this.#identity));
  }

  async #end(running: ProcessIdentity): Promise<void> {
    this.#identity = undefined;
    await endProcess(running, graceMs);
  }

  get #recordFile(): string {
    return join(this.#directory, `${this.#program}.json`);
  }

  get #logFile(): string {
    return join(this.#directory, `${this.#program}.log`);
  }
}

/** Nobody may raise the hard limit without being allowed to, not even root. */
async function maxOpenFiles(): Promise<number> {
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(await readFile("/proc/self/limits", "utf8"))?.[1];
  return hard === undefined ? Number.MAX_SAFE_INTEGER : Number(hard);
}
