import { closeSync, openSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { readIfExists } from "../../../lib/files.js";
import {
  endProcess,
  findIdentity,
  isAlive,
  type ProcessIdentity,
  readArguments,
  signalProcess,
  waitForExit,
} from "../../../lib/process.js";
import { startDaemon } from "../../host/exec.js";
import type { MoreMounts, RootMount } from "./mount-namespace.js";
import type { OciRuntime } from "./oci-runtime.js";

/** Bytes of console output kept for each container. */
const logBytes = 512 * 1024;
const createTimeoutMs = 30_000;
const endTimeoutMs = 5000;

/**
 * The process that holds a container's terminal and learns its exit code: conmon, 2.5 MiB each, parent of the container's
 * first process. It outlives the agent. Its files are in the instance's directory, which is also the OCI bundle.
 */
export class Keeper {
  readonly #directory: string;
  readonly #containerId: string;

  constructor(directory: string, containerId: string) {
    this.#directory = directory;
    this.#containerId = containerId;
  }

  /** Directory of the log and the exit code, and of nothing that changes otherwise. */
  get consoleDirectory(): string {
    return join(this.#directory, "console");
  }

  get logPath(): string {
    return join(this.consoleDirectory, "log");
  }

  /** Words of the keeper and the runtime. */
  get wordsPath(): string {
    return this.#path("keeper.log");
  }

  /**
   * Starts conmon and through it creates the container, not started.
   * @param options.keeperPath absolute path of conmon.
   * @throws {ZorError} FAILED_PRECONDITION with the runtime's words when it refuses.
   */
  async create(options: {
    readonly runtime: OciRuntime;
    readonly keeperPath: string;
    readonly root: RootMount;
    readonly more: MoreMounts;
    readonly signal: AbortSignal;
  }): Promise<ProcessIdentity> {
    const { runtime, keeperPath, root, more } = options;
    await this.remove();
    await mkdir(this.consoleDirectory, { mode: 0o700 });
    const id = this.#containerId;
    const [tool, ...argv] = runtime.wrap(
      [
        keeperPath,
        `--cid=${id}`,
        `--cuuid=${id}`,
        `--runtime=${runtime.path}`,
        `--bundle=${this.#directory}`,
        `--container-pidfile=${this.#path("container.pid")}`,
        `--conmon-pidfile=${this.#path("keeper.pid")}`,
        `--exit-dir=${this.consoleDirectory}`,
        `--log-path=k8s-file:${this.logPath}`,
        `--log-size-max=${logBytes}`,
        "--no-sync-log",
        "--terminal",
        "--full-attach",
        ...runtime.globalArguments.map((argument) => `--runtime-arg=${argument}`),
      ],
      root,
      more,
    );
    const answer = openSync(this.#path("created.json"), "w", 0o600);
    let starter: ProcessIdentity | undefined;
    try {
      const starterPid = await startDaemon(tool, argv, {
        cwd: this.#directory,
        logFile: this.wordsPath,
        env: { _OCI_SYNCPIPE: "3" },
        fds: [answer],
      });
      starter = await findIdentity(starterPid);
    } finally {
      closeSync(answer);
    }
    const pid = await this.#created(starter, options.signal);
    const identity = await findIdentity(pid);
    if (identity === undefined) throw unavailable("CONTAINER_GONE", "", "the container ended before it was started");
    return identity;
  }

  /** Exit code of the container; 128 + n when it was ended by signal n. Undefined when unknown or not ended. */
  async findExitCode(): Promise<number | undefined> {
    const text = await readIfExists(join(this.consoleDirectory, this.#containerId));
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
  }

  /** Waits a short while for the exit code of a container that has ended. */
  async waitForExitCode(timeoutMs: number): Promise<number | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const code = await this.findExitCode();
      if (code !== undefined || performance.now() > deadline || (await this.#find()) === undefined) return code;
      await delay(10);
    }
  }

  /** Notes that the container's end was asked for, whatever its exit code will be. Kept until the next start. */
  async noteEndRequested(): Promise<void> {
    await writeFile(this.#path("end-requested"), "", { mode: 0o600 });
  }

  /** It was asked for and did not come: a later one is not what was asked for. */
  async forgetEndRequested(): Promise<void> {
    await rm(this.#path("end-requested"), { force: true });
  }

  /** Whether the container's end was asked for. */
  async isEndRequested(): Promise<boolean> {
    return (await readIfExists(this.#path("end-requested"))) !== undefined;
  }

  /** Notes why the agent ends the container though nobody asked for it. Kept until the next start. */
  async noteEndReason(why: string): Promise<void> {
    await writeFile(this.#path("end-reason"), why, { mode: 0o600 });
  }

  /** Why the agent ended the container by itself; undefined: it did not. */
  async endReason(): Promise<string | undefined> {
    return await readIfExists(this.#path("end-reason"));
  }

  /** Waits until the keeper of an ended container is gone as well. */
  async finished(timeoutMs: number): Promise<void> {
    const keeper = await this.#find();
    if (keeper !== undefined) await waitForExit(keeper, timeoutMs);
  }

  /** Ends a keeper with all that it has started: also a runtime that hangs. Idempotent. */
  async end(): Promise<void> {
    const keeper = await this.#find();
    if (keeper === undefined) return;
    const deadline = performance.now() + endTimeoutMs;
    // It inherits what those have started that end.
    while (performance.now() < deadline) {
      const children = await childrenOf(keeper.pid);
      for (const child of children) await signalProcess(child, "SIGKILL");
      if (children.length === 0) break;
      await delay(10);
    }
    await endProcess(keeper, 0);
  }

  /** Removes the keeper's files. */
  async remove(): Promise<void> {
    const names = [
      "console",
      "container.pid",
      "keeper.pid",
      "keeper.log",
      "created.json",
      "attach",
      "ctl",
      "winsz",
      "end-requested",
      "end-reason",
      "oom",
    ];
    for (const name of names) await rm(this.#path(name), { recursive: true, force: true });
  }

  /** The keeper's process, if it runs and is this container's. */
  async #find(): Promise<ProcessIdentity | undefined> {
    const pid = Number((await readIfExists(this.#path("keeper.pid"))) ?? "0");
    const identity = await findIdentity(pid);
    return identity !== undefined && (await readArguments(pid)).includes(`--cid=${this.#containerId}`)
      ? identity
      : undefined;
  }

  /**
   * Waits for what conmon writes once the runtime has created the container, or failed to.
   * @param starter the process that mounts and then becomes conmon's parent, which writes conmon's pid before it ends; undefined: ended.
   */
  async #created(starter: ProcessIdentity | undefined, signal: AbortSignal): Promise<number> {
    const deadline = performance.now() + createTimeoutMs;
    let seen: ProcessIdentity | undefined;
    for (;;) {
      const isStarting = starter !== undefined && (await isAlive(starter));
      seen ??= await this.#find();
      // Before the answer is read: it is written before the end.
      const ended = seen === undefined ? !isStarting : !(await isAlive(seen));
      const answer = parseAnswer(await readIfExists(this.#path("created.json")));
      // Whoever gives the start up waits until there is something to be undone: a container that comes later would be nobody's.
      if (answer !== undefined) signal.throwIfAborted();
      if (answer !== undefined && answer.pid > 0) return answer.pid;
      if (answer !== undefined) throw failedPrecondition("START_FAILED", "", `the runtime refuses: ${answer.message}`);
      if (ended || performance.now() > deadline) {
        const log = ((await readIfExists(this.wordsPath)) ?? "").trim().slice(-500);
        if (ended) throw unavailable("START_FAILED", "", `the container's keeper ended: ${log}`);
        const what = `the runtime has not made the container in ${createTimeoutMs / 1000} s, and was ended`;
        throw unavailable(
          "RUNTIME_HUNG",
          "",
          `${what}; look at the load and the kernel's log of the host, and try again`,
        );
      }
      await delay(10);
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

async function childrenOf(pid: number): Promise<readonly ProcessIdentity[]> {
  const text = (await readIfExists(`/proc/${pid}/task/${pid}/children`).catch(() => undefined)) ?? "";
  const found = await Promise.all(
    text
      .split(" ")
      .filter((word) => word !== "")
      .map((word) => findIdentity(Number(word))),
  );
  return found.filter((each) => each !== undefined);
}

function parseAnswer(text: string | undefined): { readonly pid: number; readonly message: string } | undefined {
  // One line; before its newline it may be half written.
  if (text === undefined || !text.includes("\n")) return undefined;
  const value: unknown = JSON.parse(text.slice(0, text.indexOf("\n")));
  if (typeof value !== "object" || value === null) return undefined;
  const pid = "pid" in value ? value.pid : "data" in value ? value.data : undefined;
  const message = "message" in value && typeof value.message === "string" ? value.message.trim() : "no reason given";
  return typeof pid === "number" ? { pid, message } : undefined;
}
